package config

import (
	"context"
	"log/slog"

	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/persistence"
)

// host is what a document needs of a *cluster.Node.
type host interface {
	Name() string
	Cluster() string
	Logger() *slog.Logger
	Store() persistence.Store
	OnLeave(func(context.Context)) (cancel func())
}

type node struct{ *cluster.Node }

func (n node) Store() persistence.Store { return n.Node.Store() }
