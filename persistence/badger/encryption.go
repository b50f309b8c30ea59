package badger

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/dgraph-io/badger/v4"

	"github.com/troupe-go/troupe/persistence/badger/internal/badgerfile"
)

// rotateKey encrypts the keys of the data with EncryptionKey, if PreviousKey is the one
// they are encrypted with. The data stays as it is. The file is replaced as a whole,
// so that a crash leaves one or the other.
func rotateKey(config Config) error {
	path := filepath.Join(config.Dir, badger.KeyRegistryFileName)
	if len(config.PreviousKey) == 0 {
		return nil
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := badgerfile.CheckRegistry(path); err != nil {
		return err
	}
	o := badger.KeyRegistryOptions{Dir: config.Dir, ReadOnly: true, EncryptionKey: config.PreviousKey}
	registry, err := badger.OpenKeyRegistry(o)
	if errors.Is(err, badger.ErrEncryptionKeyMismatch) {
		return nil // it was rotated before, or neither key fits: Open finds out
	}
	if err != nil {
		return badgerfile.Damaged(path, "%w", err)
	}
	o.EncryptionKey = config.EncryptionKey
	if err := badger.WriteKeyRegistry(registry, o); err != nil {
		return fmt.Errorf("badger: rotating the key of %s: %w", config.Dir, err)
	}
	config.Logger.Info("badger: the encryption key was rotated", "dir", config.Dir)
	return nil
}
