package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"time"

	"github.com/troupe-go/troupe/cluster"
)

// size says how much a run does.
type size struct {
	kills int
	lead  time.Duration // of trade before and after each
}

// session is one run.
type session struct {
	report
	size
	dir     string // temporary
	verbose bool
	node    *cluster.Node
	bank    *process // nil while there is none
	ledger  *ledger
}

// run lets the customers trade, kills the bank meanwhile, and compares the books.
func run(ctx context.Context, out io.Writer, size size, verbose bool) (err error) {
	dir, err := os.MkdirTemp("", "troupe-bank-")
	if err != nil {
		return err
	}
	s := &session{report: report{out: out}, size: size, dir: dir, verbose: verbose}
	defer func() { err = errors.Join(err, s.end()) }()
	if s.node, err = join(ctx, dir, "customers", newLogger(verbose)); err != nil {
		return err
	}
	s.ledger = newLedger(s.node)
	for _, step := range []func(context.Context) error{s.open, s.trade, s.compare} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	if s.broken > 0 {
		return fmt.Errorf("%d claims do not hold", s.broken)
	}
	return nil
}

// end stops what is still running and removes the folder.
func (s *session) end() error {
	if s.bank != nil {
		s.bank.kill()
	}
	if s.node != nil {
		leave(s.node)
	}
	return os.RemoveAll(s.dir)
}

// open opens the bank, and an account for everybody.
func (s *session) open(ctx context.Context) error {
	if err := s.start(ctx); err != nil {
		return err
	}
	s.say("%d accounts, event-sourced, in a process of their own (pid %d); %s in each.", accounts, s.bank.pid(), number(opening))
	return s.ledger.open(ctx)
}

// start starts the bank, and waits until the customers see all accounts.
func (s *session) start(ctx context.Context) (err error) {
	if s.bank, err = startBank(ctx, s.dir, s.verbose); err != nil {
		return err
	}
	return s.node.Await(ctx, func() bool {
		for i := range accounts {
			if len(s.node.Instances(accountName(i))) == 0 {
				return false
			}
		}
		return true
	})
}

// trade lets the customers transfer money while the bank is killed.
func (s *session) trade(ctx context.Context) error {
	s.say("%d customers transfer money between them.\n", customers)
	trading, cancel := context.WithCancel(ctx)
	defer cancel()
	begin := time.Now()
	traded := make(chan error, 1)
	go func() { traded <- s.ledger.trade(trading) }()
	err := s.disturb(ctx)
	if err != nil {
		cancel() // without a bank no transfer gets complete
	}
	close(s.ledger.quit)
	if failure := <-traded; err == nil {
		err = failure
	}
	if err != nil {
		return err
	}
	took, l := time.Since(begin), s.ledger
	s.say("\n%s transfers in %s, %s a second. %s times a customer had to send something again.",
		number(l.transfers), brief(took), number(int(float64(l.transfers)/took.Seconds())), number(l.retries))
	return nil
}

// disturb kills the bank and starts it again.
func (s *session) disturb(ctx context.Context) error {
	for range s.kills {
		if err := pause(ctx, s.lead/3+rand.N(s.lead)); err != nil {
			return err
		}
		before, _ := s.ledger.count()
		killed, pid := time.Now(), s.bank.pid()
		s.bank.kill()
		s.bank = nil
		if err := s.start(ctx); err != nil {
			return err
		}
		if err := s.ledger.grows(ctx); err != nil {
			return err
		}
		s.say("  SIGKILL to %d after %s transfers; %d takes over, and the next is complete %s later",
			pid, number(before), s.bank.pid(), brief(time.Since(killed)))
	}
	return pause(ctx, s.lead)
}

// compare opens the bank afresh and compares the books.
func (s *session) compare(ctx context.Context) error {
	s.say("The bank is closed and opened once more. Its books and those of the customers:\n")
	if err := s.close(); err != nil {
		return err
	}
	if err := s.start(ctx); err != nil {
		return err
	}
	if err := s.ledger.audit(ctx, &s.report); err != nil {
		return err
	}
	return s.close()
}

// close lets the bank end by itself.
func (s *session) close() error {
	bank := s.bank
	s.bank = nil
	return bank.close()
}
