package config

import (
	"unicode/utf8"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/persistence"
)

const (
	defaultVersions = 100
	maxVersions     = 1000
	maxRemark       = 4 << 10 // bytes of an author or a note
)

// Option changes how [Open] opens a document.
type Option interface{ apply(*options) }

type option func(*options)

func (f option) apply(o *options) { f(o) }

type options struct {
	check    func(map[string]any) error
	versions int
	copies   string
}

// Check lets f refuse what this node is about to write, as a whole, so that a broken
// edit reaches nobody. Its error becomes one of code InvalidArgument for the writer. f
// may be called concurrently, and keep the map; what it changes in it is not written. It
// sees only what is written with this Document: give it to all who write.
func Check(f func(values map[string]any) error) Option {
	return option(func(o *options) { o.check = f })
}

// KeepVersions sets how many versions are kept, from 1 to 1000, the newest included; a
// write deletes older ones. Default 100. All who write should agree.
func KeepVersions(n int) Option { return option(func(o *options) { o.versions = n }) }

// KeepCopy keeps the last version seen in a file of this folder, readable by its owner
// alone, and lets [Open] start with it when the store cannot be reached. The folder is
// made if it does not exist. Give each node one of its own. By default there is no copy.
func KeepCopy(dir string) Option { return option(func(o *options) { o.copies = dir }) }

func newOptions(given []Option) (*options, error) {
	o := &options{versions: defaultVersions}
	for _, option := range given {
		option.apply(o)
	}
	if o.versions < 1 || o.versions > maxVersions {
		return nil, actor.Errorf(actor.InvalidArgument, "config: KeepVersions takes 1 to %d, not %d", maxVersions, o.versions)
	}
	return o, nil
}

// WriteOption changes one write of a document.
type WriteOption interface{ applyWrite(*remarks) }

type writeOption func(*remarks)

func (f writeOption) applyWrite(r *remarks) { f(r) }

// remarks are what a write has beside its values.
type remarks struct {
	author, note string
	at           *persistence.Revision
}

// By says who writes, up to 4 KiB; see [Version.Author]. Default is the name of the node.
func By(author string) WriteOption { return writeOption(func(r *remarks) { r.author = author }) }

// Note says why, up to 4 KiB; see [Version.Note]. Default is none, and of a roll-back that
// it is one.
func Note(text string) WriteOption { return writeOption(func(r *remarks) { r.note = text }) }

// At makes the write fail with an error that is persistence.ErrConflict, unless the
// newest version is the one with this [Version.Revision]: the writer has seen what it
// replaces. 0 is that of a document that was never written.
func At(revision persistence.Revision) WriteOption {
	return writeOption(func(r *remarks) { r.at = &revision })
}

func newRemarks(author string, options []WriteOption) (remarks, error) {
	r := remarks{author: author}
	for _, option := range options {
		option.applyWrite(&r)
	}
	for what, text := range map[string]string{"author": r.author, "note": r.note} {
		if len(text) > maxRemark || !utf8.ValidString(text) {
			return r, actor.Errorf(actor.InvalidArgument, "config: the %s must be UTF-8 of at most %d bytes; it has %d", what, maxRemark, len(text))
		}
	}
	return r, nil
}
