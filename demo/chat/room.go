package main

import (
	"slices"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster/virtual"
	"github.com/troupe-go/troupe/persistence"
)

// kind is what the rooms are called as virtual actors.
const kind = "room"

// room is one chat room: its lines are saved before anybody is told that they are.
type room struct {
	lines *persistence.State[[]Line]
	epoch uint64
}

func rooms(store persistence.Store) actor.Definition[Room] {
	return actor.Define(kind, func() *room {
		return &room{lines: persistence.NewState[[]Line](store)}
	}, actor.OnCall((*room).say), actor.OnCall((*room).read))
}

// Started reads what was said before, wherever the room ran then.
func (r *room) Started(ctx *actor.Context) error {
	r.epoch = uint64(virtual.Epoch(ctx))
	return r.lines.Load(ctx)
}

func (r *room) say(ctx *actor.Context, m Say) (Said, error) {
	here := Said{Node: ctx.System().Node(), Epoch: r.epoch}
	return persistence.SaveOnce(ctx, r.lines, m.ID, func(lines []Line) (Said, []Line, error) {
		return here, append(slices.Clone(lines), Line{Who: m.Who, N: m.N}), nil
	})
}

func (r *room) read(*actor.Context, Read) ([]Line, error) { return r.lines.Value(), nil }
