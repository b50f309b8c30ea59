//go:build race

package consensus

const raceEnabled = true

// seeds returns how many a test tries of those that it has: all takes minutes here.
func seeds(all uint64) uint64 { return (all + 2) / 3 }
