package consensus

import "os"

// thorough reports whether tests try all that they have: with TROUPE_THOROUGH in the
// environment, but for the race detector, with which that takes many minutes.
func thorough() bool { return os.Getenv("TROUPE_THOROUGH") != "" && !raceEnabled }

// seeds returns how many a test tries of those that it has.
func seeds(all uint64) uint64 {
	if thorough() {
		return all
	}
	return (all + 2) / 3
}
