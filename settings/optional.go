package settings

import (
	"reflect"
	"slices"
)

// Optional is a source that settings do without while it cannot be read: what it last said
// that was taken over stays, or nothing if there was nothing yet. [Status] and the log tell
// of it, and it is tried again. A mistake in what it says, such as an unknown key, is refused
// as usual.
//
//	settings.Optional(settings.From("vault", provider))
func Optional(source Source) Source { return optional{source} }

type optional struct{ source Source }

func (o optional) addTo(p *plan) {
	if o.source == nil {
		return
	}
	first := len(p.sources)
	o.source.addTo(p)
	for i := first; i < len(p.sources); i++ {
		p.sources[i] = &tolerated{layered: p.sources[i]}
	}
}

// tolerated is a source of one Live that may fail.
type tolerated struct {
	layered
	good   saying // what was taken over last
	latest saying // what was read last
}

// saying is what a source says.
type saying struct {
	layers  []*node
	guessed []guessed
}

func (t *tolerated) read(r *reader) {
	own := &reader{schema: r.schema, environ: r.environ, problems: new(problems)}
	t.layered.read(own)
	r.sources = append(r.sources, own.sources...)
	r.files = append(r.files, own.files...)
	r.folders = append(r.folders, own.folders...)
	failed := false
	for _, p := range *own.problems {
		if slices.Contains([]Code{Unreadable, Malformed, TooLarge, BadReference}, p.Code) {
			failed = true
			r.tolerated = append(r.tolerated, p)
		} else {
			*r.problems = append(*r.problems, p)
		}
	}
	if t.latest = t.good; !failed {
		t.latest = saying{own.layers, own.guessed}
	}
	for _, g := range t.latest.guessed {
		g.layer += len(r.layers)
		r.guessed = append(r.guessed, g)
	}
	r.layers = append(r.layers, t.latest.layers...)
}

// keep notes that what the optional sources have said was taken over.
func (l *Live[T]) keep() {
	for _, s := range l.plan.sources {
		if t, optional := s.(*tolerated); optional {
			t.good = t.latest
		}
	}
}

// tolerate notes which optional sources cannot be read.
func (l *Live[T]) tolerate(r *reader) {
	err := r.tolerated.err(r.sources...)
	l.mu.Lock()
	before := l.status.Optional
	l.status.Optional = err
	l.mu.Unlock()
	switch {
	case reflect.DeepEqual(err, before):
	case err != nil:
		l.plan.logger.Warn("an optional source of settings cannot be read, what it last said stays", "error", err)
	default:
		l.plan.logger.Info("the optional sources of settings can be read again")
	}
}
