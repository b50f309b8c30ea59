package e2e

import "github.com/troupe-go/troupe/actor"

// Worker is the protocol of the service that the child processes offer.
type Worker struct{}

// Work is answered with the name of the node that did it.
type Work struct{ actor.Call[Worker, Done] }

// SafeWork is Work that may be done twice.
type SafeWork struct {
	actor.Call[Worker, Done]
	actor.Idempotent
}

type Done struct{ Node string }

// Hold is never answered.
type Hold struct{ actor.Call[Worker, Done] }

// Ping is answered with its own data.
type Ping struct {
	actor.Call[Worker, Pong]
	Data []byte
}

type Pong struct{ Data []byte }

// Note is counted.
type Note struct {
	actor.Cast[Worker]
	Data []byte
}

// Count is answered with the number of notes so far.
type Count struct{ actor.Call[Worker, Counted] }

type Counted struct{ Notes int }

type worker struct{ notes int }

func workers() actor.Definition[Worker] {
	return actor.Define("worker", func() *worker { return new(worker) },
		actor.OnCall((*worker).work), actor.OnCall((*worker).safeWork), actor.OnCall((*worker).hold),
		actor.OnCall((*worker).ping), actor.OnCast((*worker).note), actor.OnCall((*worker).count))
}

func (*worker) work(ctx *actor.Context, _ Work) (Done, error) {
	return Done{Node: ctx.System().Node()}, nil
}

func (*worker) safeWork(ctx *actor.Context, _ SafeWork) (Done, error) {
	return Done{Node: ctx.System().Node()}, nil
}

func (*worker) hold(ctx *actor.Context, _ Hold) (Done, error) {
	_, later := actor.ReplyLater[Done](ctx)
	return Done{}, later
}

func (*worker) ping(_ *actor.Context, m Ping) (Pong, error) { return Pong{Data: m.Data}, nil }

func (w *worker) note(*actor.Context, Note) error {
	w.notes++
	return nil
}

func (w *worker) count(*actor.Context, Count) (Counted, error) { return Counted{w.notes}, nil }
