package consensus

import "context"

// turn is a lock that can be waited for with a context, or only tried. Its capacity is 1.
type turn chan struct{}

// take waits until the turn is the caller's, or returns why ctx has ended.
func (t turn) take(ctx context.Context) error {
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// try reports whether the turn is the caller's now.
func (t turn) try() bool {
	select {
	case t <- struct{}{}:
		return true
	default:
		return false
	}
}

// done gives the turn back.
func (t turn) done() { <-t }
