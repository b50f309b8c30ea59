package badger

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/troupe-go/troupe/persistence"
)

// BenchmarkOpenAfterCrash opens a store as the end of its process leaves it, and as Close
// does, in turn, and reports how many times as long the former takes ("of-closed").
func BenchmarkOpenAfterCrash(b *testing.B) {
	for _, size := range []int{1000, 64 << 10} {
		for _, total := range []int{64 << 20, 256 << 20} {
			b.Run(fmt.Sprintf("%d-MiB-of-%d-bytes", total>>20, size), func(b *testing.B) {
				dir := b.TempDir()
				s, err := Open(b.Context(), Config{Dir: dir, MinFree: 1})
				must(b, err)
				value := make([]byte, size)
				for i := 0; i < total/size; {
					t := persistence.Transaction{Unsynced: true}
					for range max(1, 100_000/size) {
						t.Then = append(t.Then, persistence.Change{Key: benchKey(i), Value: value})
						i++
					}
					_, err := s.Commit(b.Context(), t)
					must(b, err)
				}
				crashed := crashImage(b, dir)
				must(b, s.Close())
				var took [2][]time.Duration
				for b.Loop() {
					for side, from := range []string{crashed, dir} {
						image := b.TempDir() + "/store"
						must(b, copyStore(from, image))
						start := time.Now()
						s, err := Open(b.Context(), Config{Dir: image, MinFree: 1})
						took[side] = append(took[side], time.Since(start))
						must(b, err)
						must(b, s.Close())
						must(b, os.RemoveAll(image))
					}
				}
				slices.Sort(took[0])
				slices.Sort(took[1])
				after, closed := took[0][len(took[0])/2], took[1][len(took[1])/2]
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(float64(after.Milliseconds()), "crashed-ms")
				b.ReportMetric(float64(closed.Milliseconds()), "closed-ms")
				b.ReportMetric(float64(after)/float64(closed), "of-closed")
			})
		}
	}
}
