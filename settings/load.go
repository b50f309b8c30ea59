package settings

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/go-playground/validator/v10"
)

// plan is what the arguments of Load amount to.
type plan struct {
	sources []layered
	onDisk  bool // some of them are files
	logger  *slog.Logger
	polling time.Duration // 0 for notifications
}

type option func(p *plan)

func (o option) addTo(p *plan) { o(p) }

// WithLogger says where reloads and refusals are logged. The default is slog.Default when
// Load is called; slog.DiscardHandler keeps them quiet.
func WithLogger(logger *slog.Logger) Source {
	return option(func(p *plan) {
		if logger != nil {
			p.logger = logger
		}
	})
}

// WithPolling looks at the files every interval in place of being notified of changes:
// for network file systems, which do not notify, and for testing/synctest bubbles. An
// interval of zero is for being notified.
func WithPolling(interval time.Duration) Source {
	return option(func(p *plan) { p.polling = max(0, interval) })
}

// Load fills a T, which must be a struct, from the sources, and follows these until
// [Live.Close]. Later sources win; a nil Source is none. ctx bounds the loading only.
//
// The error is an [Error] with all that is wrong, or that of ctx; nothing runs then,
// unless a provider did not return in time.
func Load[T any](ctx context.Context, sources ...Source) (*Live[T], error) {
	p := plan{logger: slog.Default()}
	for _, s := range sources {
		if s != nil {
			s.addTo(&p)
		}
	}
	schema, err := compile(reflect.TypeFor[T]())
	if err != nil {
		return nil, err
	}
	l := &Live[T]{plan: p, schema: schema, environ: environ(), validate: newValidate(), trigger: make(chan struct{}, 1)}
	l.stopping, l.stop = context.WithCancel(context.WithoutCancel(ctx))
	loaded := make(chan error, 1)
	go func() { loaded <- l.reload() }()
	select {
	case err = <-loaded:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if err != nil {
		l.stop()
		return nil, err
	}
	l.start()
	return l, nil
}

func environ() map[string]string {
	vars := make(map[string]string)
	for _, entry := range os.Environ() {
		if name, value, ok := strings.Cut(entry, "="); ok {
			vars[name] = value
		}
	}
	return vars
}

func newValidate() *validator.Validate {
	v := validator.New(validator.WithRequiredStructEnabled())
	v.RegisterCustomTypeFunc(func(field reflect.Value) any {
		secret, _ := field.Interface().(Secret)
		return secret.Reveal()
	}, Secret{})
	return v
}

// maxReads is how often files are read again that change meanwhile.
const maxReads = 10

// reload reads the sources, and takes over what they say if it is new and right. The
// error says why not. Only one goroutine at a time may call it.
func (l *Live[T]) reload() error {
	r := read(l.schema, l.environ, l.plan.sources)
	l.last = r
	defer func() { l.tolerate(l.last) }()
	if r.same(l.tried) {
		return l.Status().Err
	}
	// Files may have changed while they were read, so that some are new and some old:
	// what is read twice is a whole, unless they never cease to change.
	for again := 0; l.plan.onDisk && again < maxReads; again++ {
		l.last = read(l.schema, l.environ, l.plan.sources)
		if l.last.same(r) {
			break
		}
		r = l.last
	}
	l.tried = r
	built := r.build()
	l.check(built, r)
	err := r.err()
	now := time.Now()
	if err != nil {
		l.refuse(now, err)
		return err
	}
	l.keep()
	l.take(now, &snapshot[T]{value: built.Interface().(*T), read: r, superseded: make(chan struct{})})
	return nil
}

// check adds what the rules of T refuse, but for what is known to be wrong and what may be
// in a source that was not read.
func (l *Live[T]) check(built reflect.Value, r *reader) {
	known := *r.problems
	for _, p := range known {
		if p.Code == Unreadable || p.Code == Malformed || p.Code == TooLarge {
			return
		}
	}
	var broken problems
	r.problems = &broken
	err := guard("the validator", func() error { return l.validate.Struct(built.Interface()) })
	if rules, ok := errors.AsType[validator.ValidationErrors](err); ok {
		for _, rule := range rules {
			l.schema.brokenRule(rule, r)
		}
	} else if err != nil {
		broken.add(Unsupported, "", Origin{}, "the rules of a validate tag cannot be used: %v", err)
	}
	if len(known) == 0 { // a Validate method relies on values that were understood
		l.schema.askValidate(built.Elem(), place{shape: l.schema}, r)
	}
	r.problems = &known
	for _, p := range broken {
		if !slices.ContainsFunc(known, func(k Problem) bool { return k.Key != "" && overlap(k.Key, p.Key) }) {
			*r.problems = append(*r.problems, p)
		}
	}
}

// overlap reports whether one of two keys is the other or within it.
func overlap(a, b string) bool {
	short, long := a, b
	if len(a) > len(b) {
		short, long = b, a
	}
	rest, within := strings.CutPrefix(long, short)
	return within && (rest == "" || rest[0] == '.' || rest[0] == '[')
}
