//go:build !linux

package badger

import "context"

func fullDiskChild(context.Context, []string) error { return nil }

func overfullChild(context.Context, []string) error { return nil }
