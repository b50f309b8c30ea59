package gossip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/troupe-go/troupe/persistence/version"
)

// ErrForeign is wrapped by the error of [Gossip.Join] when a peer refuses: its
// cluster has another name or another key.
var ErrForeign = errors.New("gossip: peer is not of this cluster: compare the cluster names and the secrets")

// ErrVersion is wrapped by the error of [Gossip.Join] when a peer speaks another major
// version. The error names both.
var ErrVersion = errors.New("gossip: peer speaks another major version")

// Loop is what Config.Dial returns for a connection that leads to this member itself: who
// answers there is nobody else.
type Loop struct{ net.Conn }

// errSelf says that an address leads to this member itself.
var errSelf = errors.New("gossip: the address leads to this node itself")

// maxJoins bounds the addresses that one Join contacts at once, not counting those that
// have been silent for a while.
const maxJoins = 8

// attempt is one try to join at one address. memberlist's Join takes no
// context and returns text for errors; the transport notes here what it sees.
type attempt struct {
	ctx   context.Context
	dial  atomic.Pointer[error]
	heard atomic.Bool // the peer sent something
	self  atomic.Bool // the peer is this member
}

func (a *attempt) failed(err error) {
	if a != nil {
		a.dial.Store(&err)
	}
}

func (a *attempt) loops() {
	if a != nil {
		a.self.Store(true)
	}
}

func (a *attempt) answered() {
	if a != nil {
		a.heard.Store(true)
	}
}

// Join exchanges all state with the members at the given addresses ("ip:port"),
// a few at a time, and so merges their cluster with what this member knows. It
// may be called again, with other addresses or with those of [Gossip.Lost]. An
// address that is silent is waited for while others get their turn.
//
// It returns how many of them answered. The error is nil if any did, or if
// there was nobody to ask: what leads to this member itself is skipped. Otherwise it
// tells for each address what is wrong, wrapping [ErrForeign], [ErrVersion], the error of
// Config.Dial, or the cause of the end of ctx. After Close it is [ErrClosed].
func (g *Gossip) Join(ctx context.Context, addresses []string) (contacted int, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(g.transport.ctx, func() { cancel(ErrClosed) })()

	var (
		wg     sync.WaitGroup
		slots  = make(chan struct{}, maxJoins)
		mu     sync.Mutex
		errs   []error
		asked  = make(map[netip.AddrPort]bool)
		failed = func(address string, err error) {
			g.log.Debug("gossip: could not join", "address", address, "error", err)
			mu.Lock()
			defer mu.Unlock()
			errs = append(errs, fmt.Errorf("gossip: join %s: %w", address, err))
		}
	)
	for _, address := range addresses {
		to, err := netip.ParseAddrPort(address)
		to = netip.AddrPortFrom(to.Addr().Unmap(), to.Port())
		if err != nil || !reachable(to) {
			failed(address, errors.New("want an IP and a port, without a zone"))
			continue
		}
		if to == g.transport.advertise || asked[to] {
			continue
		}
		asked[to] = true
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			failed(address, fmt.Errorf("its turn did not come: %w", context.Cause(ctx)))
			continue
		}
		wg.Go(func() {
			release := sync.OnceFunc(func() { <-slots })
			defer release()
			defer time.AfterFunc(g.patience, release).Stop()
			if err := g.joinOne(ctx, to); errors.Is(err, errSelf) {
				return
			} else if err != nil {
				failed(address, err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			contacted++
		})
	}
	wg.Wait()
	if contacted > 0 {
		return contacted, nil
	}
	return 0, errors.Join(errs...)
}

func (g *Gossip) joinOne(ctx context.Context, to netip.AddrPort) error {
	if g.transport.ctx.Err() != nil {
		return ErrClosed
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	try := &attempt{ctx: ctx}
	// The label finds the attempt again when memberlist dials: it stands where
	// memberlist expects the name of a node.
	label := "join " + strconv.FormatUint(g.joins.Add(1), 10)
	g.transport.mu.Lock()
	g.transport.attempts[label] = try
	g.transport.mu.Unlock()
	defer func() {
		g.transport.mu.Lock()
		defer g.transport.mu.Unlock()
		delete(g.transport.attempts, label)
	}()

	_, err := g.list.Join([]string{label + "/" + to.String()})
	dialErr := try.dial.Load()
	switch {
	case try.self.Load():
		return errSelf
	case err == nil:
		return nil
	case g.transport.ctx.Err() != nil:
		return ErrClosed
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case dialErr != nil:
		return *dialErr
	case strings.Contains(err.Error(), version.Advice): // memberlist keeps the text alone
		return fmt.Errorf("%w: %w", ErrVersion, err)
	case !try.heard.Load() && !strings.Contains(err.Error(), "timeout"):
		// memberlist hangs up on a label that is not its own.
		return fmt.Errorf("%w (it hung up without an answer; it may also be stopping)", ErrForeign)
	case strings.Contains(err.Error(), "no installed keys could decrypt"):
		return fmt.Errorf("%w (it has another key)", ErrForeign)
	default:
		return err
	}
}
