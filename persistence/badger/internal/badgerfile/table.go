package badgerfile

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/fb"
	"github.com/dgraph-io/badger/v4/table"
	"github.com/dgraph-io/ristretto/v2"
	"github.com/dgraph-io/ristretto/v2/z"

	"github.com/troupe-go/troupe/persistence"
)

// tables checks the tables and returns the last revision in them.
func (v *Verifier) tables(ctx context.Context, tables map[uint64]badger.TableManifest) (last persistence.Revision, err error) {
	var indexes *ristretto.Cache[uint64, *fb.TableIndex]
	if len(v.Options.EncryptionKey) > 0 {
		indexes, err = ristretto.NewCache(&ristretto.Config[uint64, *fb.TableIndex]{NumCounters: 1000, MaxCost: 64 << 20, BufferItems: 64})
		if err != nil {
			return 0, err
		}
		defer indexes.Close()
	}
	for id, t := range tables {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		key, err := v.dataKey(t.KeyID)
		path := table.NewFilename(id, v.Dir)
		if err != nil {
			return 0, Damaged(path, "%w", err)
		}
		r, err := v.table(path, table.Options{
			ReadOnly:    true,
			BlockSize:   v.Options.BlockSize,
			Compression: t.Compression,
			DataKey:     dataKeyOf(t.KeyID, key),
			IndexCache:  indexes,
		})
		if err != nil {
			return 0, Damaged(path, "%w", err)
		}
		last = max(last, r)
	}
	return last, nil
}

// table lets Badger's own code check the checksums of a table. It first makes sure
// that the lengths that code trusts are inside the file: it ends the process if not.
func (v *Verifier) table(path string, o table.Options) (last persistence.Revision, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("badger panicked: %.200v", p)
		}
	}()
	if err := checkFooter(path); err != nil {
		return 0, err
	}
	file, err := z.OpenMmapFile(path, os.O_RDONLY, 0)
	if err != nil {
		return 0, err
	}
	t, err := table.OpenTable(file, o)
	if err != nil {
		return 0, err
	}
	defer t.Close(-1)
	if !v.Skip {
		if err := t.VerifyChecksum(); err != nil {
			return 0, err
		}
	}
	return persistence.Revision(t.MaxVersion()), nil
}

// checkFooter follows the lengths at the end of a table:
//
//	..., index, length of index, checksum, length of checksum
func checkFooter(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	left := info.Size()
	for _, part := range []struct {
		name string
		most int64
	}{{"checksum", 64}, {"index", left}} {
		var b [4]byte
		if left < int64(len(b)) {
			return fmt.Errorf("file of %d bytes has been cut short", info.Size())
		}
		left -= int64(len(b))
		if _, err := f.ReadAt(b[:], left); err != nil {
			return err
		}
		length := int64(binary.BigEndian.Uint32(b[:]))
		if length == 0 || length > left || length > part.most {
			return fmt.Errorf("%s of %d bytes does not fit into a file of %d", part.name, length, info.Size())
		}
		left -= length
	}
	return nil
}
