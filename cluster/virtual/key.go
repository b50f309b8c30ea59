package virtual

import (
	"strings"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/persistence"
)

// Key returns the key of the virtual actor whose handler, or Started method, ctx
// belongs to, or of which its actor is a child. It is empty for a [Singleton], and for
// any other actor. Call it from the actor only.
func Key(ctx *actor.Context) string {
	_, key, _ := parseName(nameOf(ctx))
	return key
}

// Epoch returns the number of the activation that ctx belongs to: a fencing token,
// larger than that of any activation of the key before it. Whoever keeps something for
// the actor remembers the largest it has seen, and refuses what comes with a smaller
// one. It is 0 for a kind that is served as [BestEffort], and for an actor that is not
// virtual. Call it from the actor only.
func Epoch(ctx *actor.Context) persistence.Revision {
	name := nameOf(ctx)
	kindName, key, err := parseName(name)
	if err != nil {
		return 0
	}
	r, err := actor.Resolve[struct{}](ctx.System(), refPath(actorName(kindName, key)))
	if err != nil {
		return 0
	}
	known, ok := r.Address().Recipient().(ref)
	if !ok {
		return 0
	}
	k, ok := known.extension.kinds.Load(kindName)
	if !ok {
		return 0
	}
	return k.(*kind).epochOf(name)
}

// nameOf returns the name of the actor at the top to which ctx belongs.
func nameOf(ctx *actor.Context) string {
	path, _, _ := ctx.System().PathOf(ctx.Self())
	name, _, _ := strings.Cut(path, "/")
	return name
}

func (k *kind) epochOf(name string) persistence.Revision {
	s := k.server.Load()
	if s == nil {
		return 0
	}
	s.mu.Lock() // an actor may run before it is in the map
	defer s.mu.Unlock()
	if a, ok := s.active.Load(name); ok {
		return a.(*activation).shard.epoch
	}
	return 0
}
