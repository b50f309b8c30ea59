package persistence

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/actor/contain"
)

// contentTypeKey is where [Record.Metadata] says how a value is encoded.
const contentTypeKey = "content-type"

// View is the records of a store that begin with a prefix, as values of type T. Keys
// are without the prefix. All methods may be called concurrently.
type View[T any] struct {
	store   namespace // of the keys behind the prefix
	codec   actor.Codec
	older   actor.Codec // of records written before codec was chosen for T; may be nil
	invalid error       // returned by every method
}

// Entry is a [Record] with its value decoded.
type Entry[T any] struct {
	Key      string
	Value    T
	Metadata map[string]string
	Revision Revision
	// Expires is when the record will be gone; zero if never.
	Expires time.Time
}

// Event is a [Change] with its value decoded.
type Event[T any] struct {
	Key string
	// Value is the new one; zero if the record is gone.
	Value T
	// Deleted says that the record is gone, Expired that its time was over.
	Deleted, Expired bool
}

// Events is what one transaction did to the records of a view.
type Events[T any] struct {
	Revision Revision
	Events   []Event[T]
}

// Of returns a view of the records whose keys begin with prefix. Values are encoded as
// protobuf if T is a protobuf message, or a pointer to one, and as MessagePack if not; see
// [actor.Codecs] and [View.WithCodec]. If a T could be written but not read, or would lose
// a part of itself, every method of the view returns an error that is [ErrInvalid] and
// names that part.
func Of[T any](s Store, prefix string) *View[T] {
	v := &View[T]{store: namespace{s, prefix}}
	codecs := actor.NewCodecs(nil)
	if v.codec, v.invalid = codecs.For(reflect.TypeFor[T]()); v.invalid != nil {
		v.invalid = v.refusal(v.invalid)
		return v
	}
	v.older, _ = codecs.Named("application/msgpack") // once it was that of protobuf messages, too
	return v
}

// WithCodec returns a view of the same records that encodes values otherwise. Records
// say how they are encoded: one that was written with another codec does not decode. A
// codec that has CheckType is asked whether T survives it, as in [Of].
func (v *View[T]) WithCodec(c actor.Codec) *View[T] {
	if _, isJSON := c.(actor.JSON); isJSON { // one that keeps what it finds out about types
		c, _ = actor.NewCodecs(c).Named(c.ContentType())
	}
	other := &View[T]{store: v.store, codec: c}
	if c == nil {
		other.invalid = other.refusal(errors.New("the codec is nil"))
	} else if err := actor.CheckType(c, reflect.TypeFor[T]()); err != nil {
		other.invalid = other.refusal(err)
	}
	return other
}

// refusal is the error of a view whose values would not come back.
func (v *View[T]) refusal(reason error) error {
	return fmt.Errorf("persistence: %w: no view of %s as %s: %w", ErrInvalid, quote(v.store.prefix), reflect.TypeFor[T](), reason)
}

// Get returns the record of key. The error is [ErrNotFound] if there is none, and one
// that names the key if it is not a T.
func (v *View[T]) Get(ctx context.Context, key string, options ...ReadOption) (Entry[T], error) {
	if v.invalid != nil {
		return Entry[T]{}, v.invalid
	}
	r, err := v.store.Get(ctx, key, options...)
	if err != nil {
		return Entry[T]{}, err
	}
	return v.entry(r)
}

// List returns the records that match q, whose keys are without the prefix of the
// view. One that is not a T makes it fail. With KeysOnly, values are zero.
func (v *View[T]) List(ctx context.Context, q Query, options ...ReadOption) ([]Entry[T], error) {
	if v.invalid != nil {
		return nil, v.invalid
	}
	records, err := v.store.List(ctx, q, options...)
	if err != nil {
		return nil, err
	}
	if !q.KeysOnly {
		return v.entries(records)
	}
	entries := make([]Entry[T], len(records))
	for i, r := range records {
		entries[i] = bare[T](r)
	}
	return entries, nil
}

func (v *View[T]) entries(records []Record) (_ []Entry[T], err error) {
	entries := make([]Entry[T], len(records))
	for i, r := range records {
		if entries[i], err = v.entry(r); err != nil {
			return nil, err
		}
	}
	return entries, nil
}

// Current returns the records of the view and the revision after which to watch them; see
// the function [Current].
func (v *View[T]) Current(ctx context.Context) ([]Entry[T], Revision, error) {
	if v.invalid != nil {
		return nil, 0, v.invalid
	}
	records, after, err := Current(ctx, &v.store, "")
	if err != nil {
		return nil, 0, err
	}
	entries, err := v.entries(records)
	return entries, after, err
}

// Put writes a record; see the function [Put].
func (v *View[T]) Put(ctx context.Context, key string, value T, options ...WriteOption) (Revision, error) {
	return v.write(ctx, nil, key, value, options)
}

// CompareAndSwap writes a record if the present one has the revision expect; see the
// function [CompareAndSwap].
func (v *View[T]) CompareAndSwap(ctx context.Context, key string, expect Revision, value T, options ...WriteOption) (Revision, error) {
	return v.write(ctx, []Condition{{Key: key, Revision: expect}}, key, value, options)
}

// Delete removes a record; see the function [Delete].
func (v *View[T]) Delete(ctx context.Context, key string, options ...WriteOption) (Revision, error) {
	if v.invalid != nil {
		return 0, v.invalid
	}
	return Delete(ctx, &v.store, key, options...)
}

// Update writes what f makes of the present value, the zero T if there is no record,
// and returns what it has written, but for Expires. If somebody else has changed the record meanwhile,
// it calls f again with the new value, until ctx ends. An error of f is returned as it
// is, and nothing is changed. A time to live begins anew, with the one in options.
func (v *View[T]) Update(ctx context.Context, key string, f func(T) (T, error), options ...WriteOption) (Entry[T], error) {
	for {
		present, err := v.Get(ctx, key)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return Entry[T]{}, err
		}
		value, err := f(present.Value)
		if err != nil {
			return Entry[T]{}, err
		}
		revision, err := v.CompareAndSwap(ctx, key, present.Revision, value, options...)
		if errors.Is(err, ErrConflict) {
			continue
		} else if err != nil {
			return Entry[T]{}, err
		}
		o := v.options(options)
		return Entry[T]{Key: key, Value: value, Revision: revision, Metadata: o.metadata}, nil
	}
}

// Watch yields the transactions that changed records of the view after a revision; see
// [Store]. A record that is not a T ends it with an error.
func (v *View[T]) Watch(ctx context.Context, after Revision) iter.Seq2[Events[T], error] {
	return func(yield func(Events[T], error) bool) {
		if v.invalid != nil {
			yield(Events[T]{}, v.invalid)
			return
		}
		for changes, err := range v.store.Watch(ctx, "", after) {
			events := Events[T]{Revision: changes.Revision}
			for _, c := range changes.Changes {
				e := Event[T]{Key: c.Key, Deleted: c.Delete, Expired: c.Expired}
				if !c.Delete && err == nil {
					e.Value, err = v.decode(c.Key, c.Metadata, c.Value)
				}
				events.Events = append(events.Events, e)
			}
			if err != nil {
				yield(Events[T]{}, err)
				return
			}
			if !yield(events, nil) {
				return
			}
		}
	}
}

func (v *View[T]) write(ctx context.Context, conditions []Condition, key string, value T, options []WriteOption) (Revision, error) {
	if v.invalid != nil {
		return 0, v.invalid
	}
	if of := reflect.ValueOf(value); of.Kind() == reflect.Pointer && of.IsNil() {
		return 0, fmt.Errorf("persistence: %w: record %s would be a nil %T: delete it instead", ErrInvalid, quote(v.store.prefix+key), value)
	}
	o := v.options(options)
	var data []byte
	err := contain.Call("the codec", func() (err error) {
		data, err = v.codec.Append(nil, source(&value))
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("persistence: %w: encoding record %s: %w", ErrInvalid, quote(v.store.prefix+key), err)
	}
	return v.store.Commit(ctx, Transaction{
		If:       conditions,
		Then:     []Change{o.put(key, data)},
		Unsynced: o.unsynced,
	})
}

// options adds the content type to the metadata.
func (v *View[T]) options(options []WriteOption) writeOptions {
	o := writeOptionsOf(options)
	metadata := map[string]string{contentTypeKey: v.codec.ContentType()}
	for name, value := range o.metadata {
		if name != contentTypeKey {
			metadata[name] = value
		}
	}
	o.metadata = metadata
	return o
}

func (v *View[T]) entry(r Record) (Entry[T], error) {
	e := bare[T](r)
	var err error
	if e.Value, err = v.decode(r.Key, r.Metadata, r.Value); err != nil {
		return Entry[T]{}, err
	}
	return e, nil
}

// bare returns the entry of r without its value.
func bare[T any](r Record) Entry[T] {
	return Entry[T]{Key: r.Key, Metadata: r.Metadata, Revision: r.Revision, Expires: r.Expires}
}

func (v *View[T]) decode(key string, metadata map[string]string, data []byte) (value T, err error) {
	key = v.store.prefix + key
	codec := v.codec
	if is, want := metadata[contentTypeKey], codec.ContentType(); is != "" && is != want {
		if codec = v.older; codec == nil || codec.ContentType() != is {
			return value, fmt.Errorf("persistence: %w: record %s is %s, and the view reads %s", ErrMismatch, quote(key), is, want)
		}
	}
	err = contain.Call("the codec", func() error { return codec.Decode(data, target(&value)) })
	if err != nil {
		var none T
		return none, fmt.Errorf("persistence: %w: record %s is not a %T: %w", ErrMismatch, quote(key), none, err)
	}
	return value, nil
}

// source returns what to encode: value, or a pointer to it if T is an interface, so that
// the codec knows what it will have to decode into.
func source[T any](value *T) any {
	if reflect.TypeFor[T]().Kind() == reflect.Interface {
		return value
	}
	return *value
}

// target returns what to decode into: value, or what it is made to point to, since a
// protobuf message is decoded through the one pointer that T itself is.
func target[T any](value *T) any {
	t := reflect.TypeFor[T]()
	if t.Kind() != reflect.Pointer {
		return value
	}
	p := reflect.New(t.Elem())
	reflect.ValueOf(value).Elem().Set(p)
	return p.Interface()
}

// quote makes a key fit for a message.
func quote(key string) string {
	const most = 80
	if utf8.RuneCountInString(key) > most {
		return fmt.Sprintf("%.*q...", most, key)
	}
	return strconv.Quote(key)
}
