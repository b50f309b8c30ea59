package eventlog

import (
	"testing"
	"testing/synctest"
	"time"
)

// What has been removed is not pending any more, is counted, and is never delivered,
// whatever removes it and whatever the group has done with it.
func TestWhatIsRemovedIsNotPending(t *testing.T) {
	for removed, config := range map[string]Config{
		"by age":   {Events: Limits{Age: time.Minute}},
		"by count": {Events: Limits{Count: 2}},
		"by bytes": {Events: Limits{Bytes: 1000}},
		"by purge": {},
	} {
		for waits, prepare := range map[string]func(t *testing.T, p *Partition, in *inbox){
			"for a retry": func(t *testing.T, _ *Partition, in *inbox) {
				must(t, in.Nack(in.want(t, 1)[0].Tag, time.Hour, nil))
			},
			"for a consumer": func(t *testing.T, _ *Partition, in *inbox) {
				in.want(t, 1)
				in.Leave(nil)
			},
			"for an acknowledgement that never comes": func(t *testing.T, _ *Partition, in *inbox) {
				in.want(t, 1)
			},
		} {
			t.Run(removed+", waits "+waits, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					config.Store = newStore(t)
					p := openPartition(t, config)
					in := join(t, p.Events, ConsumerConfig{AckDeadline: 70 * time.Second})
					for range 5 {
						appendAll(t, p, Event{Key: "a", Payload: make([]byte, 200)})
						synctest.Wait()
					}
					prepare(t, p, in)
					want := Offset(6)
					switch removed {
					case "by purge":
						must(t, p.Events.Purge(t.Context(), End()))
					case "by age":
						<-time.After(2 * time.Minute)
					default:
						want = 8
						appendAll(t, p, Event{Key: "a", Payload: make([]byte, 200)}, Event{Key: "a", Payload: make([]byte, 200)})
						appendAll(t, p, Event{Key: "a", Payload: make([]byte, 990)}, Event{Key: "a", Payload: make([]byte, 2)})
						want = p.Events.Inspect().First
					}
					<-time.After(2 * time.Minute)
					synctest.Wait()
					info := p.Events.Inspect()
					g := info.Groups[0]
					if kept := uint64(info.Next - info.First); g.Lag > kept || info.First < 6 {
						t.Errorf("%+v: a lag of %d where %d events are kept", g, g.Lag, kept)
					}
					if g.Missed < uint64(info.First)-1 || g.Position < info.First {
						t.Errorf("%+v: want %d events missed", g, info.First-1)
					}
					if len(g.Consumers) == 0 {
						in = join(t, p.Events, ConsumerConfig{})
					}
					if info.Next == info.First {
						appendAll(t, p, Event{Key: "a", Payload: make([]byte, 10)})
					}
					synctest.Wait()
					for len(in.arrived) > 1 {
						if d := <-in.arrived; d.Offset < info.First {
							t.Errorf("event %d was delivered", d.Offset)
						}
					}
					in.ack(t, in.want(t, want)...)
					must(t, p.Close(t.Context()))
					p = openPartition(t, config)
					if again := p.Events.Inspect().Groups[0]; again.Missed != g.Missed {
						t.Errorf("%+v after a restart, and %d were missed before", again, g.Missed)
					}
				})
			})
		}
	}
}

// An event that is removed while somebody handles it still occupies its key until that is
// over, and was not missed if it was acknowledged.
func TestWhatIsRemovedWhileItIsHandledHoldsItsKey(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, p *Partition) {
		in := join(t, p.Events, ConsumerConfig{})
		appendAll(t, p, keyed("a", "a", "b", "b", "a", "b")...)
		got := in.want(t, 1, 3)
		must(t, p.Events.Purge(t.Context(), AtOffset(5)))
		synctest.Wait()
		in.none(t)
		g := p.Events.Inspect().Groups[0]
		if g.Lag != 2 || g.Missed != 2 {
			t.Errorf("%+v: want a lag of 2, and 2 missed", g)
		}
		in.ack(t, got[0])
		in.want(t, 5)
		must(t, in.Nack(got[1].Tag, time.Second, nil))
		in.want(t, 6)
		if g := p.Events.Inspect().Groups[0]; g.Lag != 2 || g.Missed != 3 {
			t.Errorf("%+v: want a lag of 2, and 3 missed", g)
		}
	})
}

// What a group has given up becomes a dead letter, also if it is removed meanwhile.
func TestWhatIsGivenUpIsADeadLetterAlsoIfItIsRemoved(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, p *Partition) {
		in := join(t, p.Events, ConsumerConfig{})
		appendAll(t, p, keyed("a", "a")...)
		must(t, in.Reject(in.want(t, 1)[0].Tag, nil))
		must(t, p.Events.Purge(t.Context(), AtOffset(2)))
		in.want(t, 2)
		if g := p.Events.Inspect().Groups[0]; g.Missed != 0 || g.DeadLetters != 1 {
			t.Errorf("%+v: want a dead letter, and nothing missed", g)
		}
	})
}
