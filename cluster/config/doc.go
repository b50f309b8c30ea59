// Package config keeps settings that the whole cluster shares: documents in the
// replicated store, which are written once, and which every node follows.
//
// [Open] follows a document by its name. [Document.Put] replaces it, [Document.Set] and
// [Document.Delete] change one key, and [Document.Rollback] brings an old version back;
// [Document.History] tells who wrote what, when and why, and [Document.Observe] yields
// every version.
//
//	shared, err := config.Open(ctx, node, "shop")
//	if err != nil {
//		return err
//	}
//	defer shared.Close()
//	_, err = shared.Set(ctx, "http.timeout", "5s", config.By("alice"), config.Note("too slow"))
//
// A Document is a provider of koanf that can be watched, and so a source of package
// settings, as the file beside it is:
//
//	live, err := settings.Load[Config](ctx, settings.File("shop.yaml"), settings.From("cluster", shared))
//
// # Guarantees
//
//   - Every write is a new version. Versions have one order, the same on all nodes. Each
//     is made from the one before, so that of keys that are set at the same time none is
//     lost. With [At], a write is refused if somebody else has written since.
//   - [Document.Get], [Document.History] and all writes are linearizable. In a minority
//     of a network that is split they fail with Unavailable within a second.
//   - [Document.Read], [Document.ReadBytes] and [Document.Last] answer from memory: with
//     the last version that this node has seen, also while it is cut off. A node that is
//     connected sees a version within a second of its writing, mostly within
//     milliseconds; one that was cut off, soon after it is connected again. That a
//     version is the newest only Get can tell.
//   - Each Document goes forward only, from version to version, with one exception: when
//     a back-up is restored under it, it follows to what was restored. Versions are so
//     told apart by their Revision, which is never given out twice, where Number may be.
//   - With [KeepCopy] a node that starts while the store cannot be reached starts with
//     the last version that has reached its disk, if the file is whole.
//
// # Values
//
// A document is a tree of maps with text as keys: not empty, and without dots, which
// divide the keys of a path such as "http.timeout". Values are null, booleans, text,
// numbers, lists and maps. They are kept as JSON in which whole numbers and others stay
// apart, so that what is read is exactly what was written, with these types: nil, bool,
// string, int64, uint64 for what is too large for that, float64, []any and
// map[string]any. A time.Duration becomes text such as "1m30s", and so does what is an
// encoding.TextMarshaler. A document may have [MaxSize] bytes and [MaxDepth] levels.
//
// Settings are readable by all who can read the store, a back-up of it, or the copy on
// disk. Keep a secret in a file, and in the document its path: package settings reads
// "file:/run/secrets/db".
//
// # How it works
//
// A version is a record of node.Store(), in the namespace "config". Its key has the number
// of the version, which must be free when it is written, while the version before is
// unchanged; so two writers cannot both be next, and the one that comes second makes its
// change again. Followers watch the keys, and nobody polls.
package config
