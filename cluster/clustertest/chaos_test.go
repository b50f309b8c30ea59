package clustertest_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/troupe-go/troupe/cluster/clustertest"
)

// Whatever happens to the network and to processes that live on, each stream
// delivers what was written, and in virtual time a day of it is short.
func TestStreamsSurviveADayOfFaults(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			inBubble(t, func(t *testing.T, f *fixture) {
				const streams, numbers = 6, 5_000
				day := time.Now().Add(24 * time.Hour)
				var all sync.WaitGroup
				for range streams {
					client, server := f.connect()
					for _, way := range [][2]net.Conn{{client, server}, {server, client}} {
						all.Go(func() { sendNumbers(t, way[0], numbers, day) })
						all.Go(func() { wantNumbers(t, way[1], numbers) })
					}
				}
				dice := rand.New(rand.NewPCG(seed, 0))
				for time.Now().Before(day) {
					misfortune(f, dice)
					<-time.After(time.Duration(dice.Int64N(int64(10 * time.Minute))))
				}
				f.a.Thaw()
				f.b.Thaw()
				f.Heal()
				all.Wait()
			})
		})
	}
}

func misfortune(f *fixture, dice *rand.Rand) {
	host := []*clustertest.Host{f.a, f.b}[dice.IntN(2)]
	switch dice.IntN(7) {
	case 0:
		f.Partition([]string{"a"}, []string{"b"})
	case 1:
		f.Cut("a", "b")
	case 2:
		f.Cut("b", "a")
	case 3:
		host.Freeze()
	case 4:
		f.SetDelay(0, time.Duration(dice.Int64N(int64(time.Second))))
	case 5:
		f.SetLoss(dice.Float64() / 2)
	case 6:
		f.Heal()
		f.a.Thaw()
		f.b.Thaw()
	}
}

// sendNumbers writes ascending numbers, spread over the time until the end.
func sendNumbers(t *testing.T, c net.Conn, count int, end time.Time) {
	pause := time.Until(end) / 100
	for i := range count {
		if _, err := c.Write(binary.BigEndian.AppendUint64(nil, uint64(i))); err != nil {
			t.Errorf("Write of number %d: %v", i, err)
			return
		}
		if i%(count/100) == 0 {
			<-time.After(pause)
		}
	}
}

func wantNumbers(t *testing.T, c net.Conn, count int) {
	b := make([]byte, 8)
	for i := range count {
		if _, err := io.ReadFull(c, b); err != nil {
			t.Errorf("Read of number %d: %v", i, err)
			return
		}
		if got := binary.BigEndian.Uint64(b); got != uint64(i) {
			t.Errorf("number %d arrived as %d", i, got)
			return
		}
	}
}
