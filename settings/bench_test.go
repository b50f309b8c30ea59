package settings_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/troupe-go/troupe/settings"
)

// BenchmarkGet compares Get with its floor, a bare load of an atomic pointer, in turns
// so that both see the same machine.
func BenchmarkGet(b *testing.B) {
	live := load[service](b)
	var bare atomic.Pointer[service]
	bare.Store(live.Get())
	ports := 0
	var floor, ours time.Duration
	const rounds = 8
	for range rounds {
		n := b.N/rounds + 1
		began := time.Now()
		for range n {
			ports += bare.Load().HTTP.Port
		}
		floor += time.Since(began)
		began = time.Now()
		for range n {
			ports += live.Get().HTTP.Port
		}
		ours += time.Since(began)
	}
	if ports == 0 {
		b.Error("nothing was read")
	}
	b.ReportMetric(float64(ours.Nanoseconds())/float64(b.N), "ns/op")
	b.ReportMetric(float64(floor.Nanoseconds())/float64(b.N), "floor-ns/op")
	b.ReportMetric(float64(ours)/float64(floor), "x-floor")
}

func BenchmarkGetFromManyGoroutines(b *testing.B) {
	live := load[service](b, settings.Map(nil))
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if live.Get().HTTP.Port == 0 {
				b.Error("nothing was read")
			}
		}
	})
}
