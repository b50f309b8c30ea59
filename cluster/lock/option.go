package lock

import (
	"math"

	"github.com/troupe-go/troupe/actor"
)

// Option changes what [Acquire] and [TryAcquire] ask for.
type Option interface{ apply(*request) }

type option func(*request)

func (f option) apply(r *request) { f(r) }

// Shared asks for a lock that others may hold at the same time, if they ask for it
// Shared as well: the lock of a reader. It waits for those before it that do not share.
func Shared() Option {
	return option(func(r *request) {
		r.demand = demand{permits: 1}
		r.kinds++
	})
}

// Permits asks for n of the permits of a semaphore that has that many: 1 <= n <= of <=
// 2^31-1. Whoever uses the semaphore should agree about of; else the least one given by
// those in the queue counts. A lock without Permits takes all of them, and one that is
// Shared takes one.
func Permits(n, of int) Option {
	return option(func(r *request) {
		r.demand = demand{permits: int64(n), limit: int64(of)}
		r.kinds++
		r.semaphore = true
	})
}

// WithValue sets a text that [Inspect] shows beside the name of the node.
func WithValue(value string) Option { return option(func(r *request) { r.value = value }) }

// request is what the options amount to.
type request struct {
	demand
	value     string
	kinds     int // of Shared and Permits that were given
	semaphore bool
}

func newRequest(options []Option) (*request, error) {
	r := &request{demand: demand{permits: 1, limit: 1}}
	for _, o := range options {
		o.apply(r)
	}
	if r.kinds > 1 {
		return nil, actor.Errorf(actor.InvalidArgument, "lock: Shared and Permits exclude each other, and each can be given once")
	}
	if r.semaphore && (r.limit == 0 || !r.demand.valid()) {
		return nil, actor.Errorf(actor.InvalidArgument, "lock: %d of %d permits: ask for at least 1, and not for more than there are, at most %d", r.permits, r.limit, math.MaxInt32)
	}
	return r, nil
}

// demand is what somebody asks for: so many permits, where no more than limit are held.
// A limit of 0 is none.
type demand struct{ permits, limit int64 }

func (d demand) valid() bool {
	return d.permits >= 1 && d.limit >= 0 && (d.limit == 0 || d.permits <= d.limit) &&
		d.permits <= math.MaxInt32 && d.limit <= math.MaxInt32
}

// most returns how many permits may be held, this demand's included.
func (d demand) most() int64 {
	if d.limit == 0 {
		return math.MaxInt64
	}
	return d.limit
}

// excludes reports whether the two can never be held together.
func (d demand) excludes(other demand) bool {
	return d.permits+other.permits > min(d.most(), other.most())
}
