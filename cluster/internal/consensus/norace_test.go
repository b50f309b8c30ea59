//go:build !race

package consensus

const raceEnabled = false

// seeds returns how many a test tries of those that it has.
func seeds(all uint64) uint64 { return all }
