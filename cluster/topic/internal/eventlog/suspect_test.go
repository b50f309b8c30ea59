package eventlog

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

// An event that ends whoever handles it becomes a dead letter, also where that is the
// process of the partition's owner; those that wait behind it do not.
func TestAnEventThatEndsWhoeverHandlesItIsADeadLetter(t *testing.T) {
	const window, attempts = 5, 3
	for name, end := range map[string]func(t *testing.T, p *Partition, in *inbox) *Partition{
		"the consumer": func(_ *testing.T, p *Partition, in *inbox) *Partition {
			in.Leave(errors.New("its node is gone"))
			return p
		},
		"the owner": func(t *testing.T, p *Partition, in *inbox) *Partition {
			crash(p)
			return openPartition(t, Config{Store: p.config.Store})
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := openPartition(t, Config{Store: newStore(t)})
				appendAll(t, p, numbered(0, window)...)
				config := ConsumerConfig{Window: window, MaxAttempts: attempts}
				for range suspicious + attempts {
					in := join(t, p.Events, config)
					got := in.want(t, 1, 2, 3, 4, 5)
					in.begin(t, got[0])
					p = end(t, p, in)
				}
				in := join(t, p.Events, config)
				for _, d := range in.want(t, 2, 3, 4, 5) {
					if d.Attempt != suspicious+attempts+1 {
						t.Errorf("event %d has attempt %d", d.Offset, d.Attempt)
					}
					in.begin(t, d)
					in.ack(t, d)
				}
				synctest.Wait()
				in.none(t)
				if d := join(t, p.DeadLetters, ConsumerConfig{}).want(t, 1)[0].Dead; d.Offset != 1 || d.Attempts != suspicious+attempts {
					t.Errorf("%+v", d)
				}
				if g := p.Events.Inspect().Groups[0]; g.Lag != 0 || g.DeadLetters != 1 {
					t.Errorf("%+v", g)
				}
			})
		})
	}
}

func TestADeliveryThatIsOverCannotBegin(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, p *Partition) {
		appendAll(t, p, numbered(0, 1)...)
		in := join(t, p.Events, ConsumerConfig{})
		d := in.want(t, 1)[0]
		in.ack(t, d)
		if err := in.Begin(context.Background(), d.Tag); !errors.Is(err, ErrNotDelivered) {
			t.Errorf("Begin: %v, want ErrNotDelivered", err)
		}
	})
}

func TestARetryIsNoSuspect(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, p *Partition) {
		appendAll(t, p, numbered(0, 1)...)
		in := join(t, p.Events, ConsumerConfig{})
		for range 9 {
			d := in.want(t, 1)[0]
			if d.Suspect {
				t.Errorf("attempt %d of an event whose failures are known is suspect", d.Attempt)
			}
			must(t, in.Nack(d.Tag, 0, errors.New("not yet")))
		}
	})
}
