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
					in := join(t, p.Events, ConsumerConfig{AckDeadline: time.Hour})
					appendAll(t, p, Event{Key: "a", Payload: make([]byte, 200)})
					prepare(t, p, in)
					for range 4 {
						appendAll(t, p, Event{Key: "a", Payload: make([]byte, 200)})
					}
					switch removed {
					case "by purge":
						must(t, p.Events.Purge(t.Context(), End()))
					case "by age":
						<-time.After(70 * time.Second)
					default:
						for range 3 {
							appendAll(t, p, Event{Key: "a", Payload: make([]byte, 900)})
						}
					}
					<-time.After(time.Second)
					synctest.Wait()
					info := p.Events.Inspect()
					g := info.Groups[0]
					if kept := uint64(info.Next - info.First); g.Lag != kept || info.First < 6 {
						t.Errorf("%+v: a lag of %d where %d events are kept", g, g.Lag, kept)
					}
					in.Leave(nil)
					if g = p.Events.Inspect().Groups[0]; g.Missed != uint64(info.First)-1 || g.Position != info.First {
						t.Errorf("%+v: want %d events missed", g, info.First-1)
					}
					appendAll(t, p, Event{Key: "a", Payload: make([]byte, 10)})
					in = join(t, p.Events, ConsumerConfig{})
					first := p.Events.Inspect().First
					for o := first; o <= info.Next; o++ {
						in.ack(t, in.want(t, o)...)
					}
					g = p.Events.Inspect().Groups[0]
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

// An event that the limits remove while somebody has it occupies its key until that is over,
// and was not missed if it was acknowledged.
func TestWhatIsRemovedWhileItIsDeliveredOccupiesItsKey(t *testing.T) {
	bubble(t, Config{Events: Limits{Count: 2}}, func(t *testing.T, p *Partition) {
		in := join(t, p.Events, ConsumerConfig{})
		appendAll(t, p, keyed("a", "b")...)
		had := in.want(t, 1, 2)
		appendAll(t, p, keyed("a", "b")...)
		appendAll(t, p, keyed("a", "b")...)
		synctest.Wait()
		in.none(t)
		if g := p.Events.Inspect().Groups[0]; g.Lag != 2 || g.Missed != 2 {
			t.Errorf("%+v: want a lag of 2, and 2 missed", g)
		}
		in.ack(t, had[0])
		in.want(t, 5)
		must(t, in.Nack(had[1].Tag, time.Hour, nil))
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
