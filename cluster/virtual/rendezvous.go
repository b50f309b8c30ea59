package virtual

import "hash/fnv"

// Rendezvous hashing: of all nodes, the one with the highest weight for a shard should
// own it. When a node comes or goes, only its own share moves.

// hash is the same in every process.
func hash(text string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(text)) // it never fails
	return h.Sum64()
}

// mix spreads the bits of x evenly: the finaliser of SplitMix64 (Steele, Lea and
// Flood, 2014).
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

// shardOf returns the shard of the actor with that name.
func shardOf(name string, shards int) int { return int(mix(hash(name)) % uint64(shards)) }

// preferred returns the index of the host that should own a shard, -1 if there is
// none. Of two sessions of one node, it is the later one.
func preferred(kind string, shard int, hosts []host) int {
	best, highest := -1, uint64(0)
	salt := mix(hash(kind) + uint64(shard))
	for i, h := range hosts {
		w := mix(h.hash ^ salt)
		if best < 0 || w > highest || w == highest && h.since > hosts[best].since {
			best, highest = i, w
		}
	}
	return best
}
