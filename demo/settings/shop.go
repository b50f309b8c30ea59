package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/config"
	"github.com/troupe-go/troupe/demo/internal/stage"
	"github.com/troupe-go/troupe/settings"
)

// Config is the settings of a shop.
type Config struct {
	Greeting string  `default:"Hello" doc:"What customers hear first."`
	Price    float64 `default:"3" doc:"What a cup of tea costs." validate:"gt=0"`
	Discount int     `doc:"How many per cent are taken off." validate:"min=0,max=90"`
}

const (
	shopFile = "shop.yaml" // the settings of the shops
	nodeFile = "node.yaml" // those of all nodes
	document = "shop"      // the settings of the shops that the cluster shares
)

// keepShop is the life of a process with a shop.
func keepShop(ctx context.Context, c *stage.Child) error {
	ofNode, err := settings.Load[cluster.Config](ctx, settings.File(filepath.Join(c.Dir, nodeFile)))
	if err != nil {
		return err
	}
	defer ofNode.Close()
	node, err := c.Join(ctx, cluster.FromSettings(ofNode))
	if err != nil {
		return err
	}
	defer stage.Leave(node)

	shared, err := config.Open(ctx, node, document)
	if err != nil {
		return err
	}
	defer shared.Close()
	live, err := settings.Load[Config](ctx,
		settings.File(filepath.Join(c.Dir, shopFile)),
		settings.From("the cluster", shared), // wins over the file
		settings.WithLogger(node.Logger()))
	if err != nil {
		return err
	}
	defer live.Close()

	s := &shop{settings: live, ofNode: ofNode}
	if err := node.Serve(actor.Define(c.Name, func() *shop { return s },
		actor.OnCall((*shop).offer), actor.OnCall((*shop).inspect))); err != nil {
		return err
	}
	c.Ready()
	<-ctx.Done()
	return nil
}

// Shop is the protocol of a shop.
type Shop struct{}

// Tea is answered with what a customer is offered.
type Tea struct{ actor.Call[Shop, string] }

// Inspect is answered with how the shop is doing with its settings.
type Inspect struct{ actor.Call[Shop, State] }

// State is an answer to [Inspect].
type State struct {
	Discount string   // where it comes from
	Refused  string   // why the last change was refused
	Restart  []string // what of the node has changed and waits for a restart
}

type shop struct {
	settings *settings.Live[Config]
	ofNode   *settings.Live[cluster.Config]
}

func (s *shop) offer(*actor.Context, Tea) (string, error) {
	now := s.settings.Get()
	return fmt.Sprintf("%s! Tea is %.2f.", now.Greeting, now.Price*float64(100-now.Discount)/100), nil
}

func (s *shop) inspect(*actor.Context, Inspect) (State, error) {
	discount, err := s.settings.Explain("discount")
	state := State{Discount: discount.String(), Restart: s.ofNode.Status().Restart}
	if refused := s.settings.Status().Err; refused != nil {
		state.Refused = refused.Error()
	}
	return state, err
}
