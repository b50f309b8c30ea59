package badger

import "hash/maphash"

// keySet is a set of keys that may take one for another (Bloom, 1970, with one hash):
// that costs a commit to Badger, and less than a map does for each key.
type keySet struct {
	seed maphash.Seed
	some bool
	bits [1 << 10]uint64
}

func (k *keySet) add(key string) {
	h := maphash.String(k.seed, key)
	k.bits[h>>6%uint64(len(k.bits))] |= 1 << (h % 64)
	k.some = true
}

func (k *keySet) mayHave(key string) bool {
	if !k.some {
		return false
	}
	h := maphash.String(k.seed, key)
	return k.bits[h>>6%uint64(len(k.bits))]&(1<<(h%64)) != 0
}

func (k *keySet) clear() {
	if k.some {
		k.some, k.bits = false, [len(k.bits)]uint64{}
	}
}
