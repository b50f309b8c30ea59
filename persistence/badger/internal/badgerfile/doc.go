// Package badgerfile knows the files that Badger writes: it verifies them before Badger
// trusts them, and syncs those that Badger would not.
//
// Nothing of this is promised by Badger. It was read in the source of [Checked], and holds
// for that version alone:
//
//   - MANIFEST, which begins with "Bdgr", two versions, and frames of a length, a checksum and
//     changes (manifest.go).
//   - KEYREGISTRY, which begins with an initial vector and "Hello Badger", and frames of a
//     length, a checksum and a key (key_registry.go).
//   - The logs of memtables, %05d.mem, and of large values, %06d.vlog: a header of 20 bytes, the
//     number of a key and an initial vector, then entries of a header (meta data, and the
//     lengths of key and value), key, value, and a checksum by Castagnoli, until the first
//     that is not whole; zeros are behind it (memtable.go, structs.go, value.go).
//   - Of entries: bits 0, 1, 6 and 7 of their meta data, that a key ends with 8 bytes of the
//     version, inverted, and that a transaction ends with an entry of its version (value.go,
//     db.go).
//   - Tables, which end with an index, its length, a checksum and its length
//     (table/table.go).
//   - That the logs of memtables are numbered one after the other, and the oldest goes first
//     (memtable.go, db.go).
package badgerfile

// Checked is the version of Badger whose source this package was read from. To take another
// one, read there what the package says of files, and run the tests with
// TROUPE_DAMAGE_ROUNDS=400.
const Checked = "v4.9.6"
