package main

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/troupe-go/troupe/demo/internal/stage"
)

// disturbance says how often the bank is killed.
type disturbance struct {
	kills int
	calm  time.Duration // about how long there is trade before and after each
}

// session is one run.
type session struct {
	*stage.Stage
	disturbance
	ledger *ledger
	bank   *stage.Process // the latest
}

// run lets the customers trade, kills the bank meanwhile, and compares the books.
func (d disturbance) run(ctx context.Context, st *stage.Stage) error {
	node, err := st.Join(ctx, "customers")
	if err != nil {
		return err
	}
	defer stage.Leave(node)
	s := &session{Stage: st, disturbance: d, ledger: newLedger(node)}
	for _, step := range []func(context.Context) error{s.open, s.trade, s.compare} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// open opens the bank, and an account for everybody.
func (s *session) open(ctx context.Context) error {
	if err := s.start(ctx); err != nil {
		return err
	}
	s.Say("%d accounts, event-sourced, in a process of their own (pid %d); %s in each.", accounts, s.bank.PID(), stage.Number(opening))
	return s.ledger.open(ctx)
}

// start starts the bank, and waits until it serves its accounts. The customers find
// them by and by.
func (s *session) start(ctx context.Context) (err error) {
	if s.bank, err = s.Start("bank"); err != nil {
		return err
	}
	return s.bank.Ready(ctx)
}

// trade lets the customers transfer money while the bank is killed.
func (s *session) trade(ctx context.Context) error {
	s.Say("%d customers transfer money between them.\n", customers)
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
	s.Say("\n%s transfers in %s, %s a second. %s times a customer had to send something again.",
		stage.Number(l.transfers), stage.Brief(took), stage.Number(int(float64(l.transfers)/took.Seconds())), stage.Number(l.retries))
	return nil
}

// disturb kills the bank and starts it again.
func (s *session) disturb(ctx context.Context) error {
	for range s.kills {
		if err := stage.Pause(ctx, s.calm/3+rand.N(s.calm)); err != nil {
			return err
		}
		before, _ := s.ledger.count()
		killed, pid := time.Now(), s.bank.PID()
		s.bank.Kill()
		if err := s.start(ctx); err != nil {
			return err
		}
		if err := s.ledger.grows(ctx); err != nil {
			return err
		}
		s.Note("SIGKILL to %d after %s transfers; %d takes over, and the next is complete %s later",
			pid, stage.Number(before), s.bank.PID(), stage.Brief(time.Since(killed)))
	}
	return stage.Pause(ctx, s.calm)
}

// compare opens the bank afresh and compares the books.
func (s *session) compare(ctx context.Context) error {
	s.Say("The bank is closed and opened once more. Its books and those of the customers:\n")
	if err := s.bank.Close(ctx); err != nil {
		return err
	}
	if err := s.start(ctx); err != nil {
		return err
	}
	if err := s.ledger.audit(ctx, &s.Report); err != nil {
		return err
	}
	return s.bank.Close(ctx)
}
