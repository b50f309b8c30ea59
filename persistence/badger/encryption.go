package badger

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/dgraph-io/badger/v4"
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
	if err := checkRegistry(path); err != nil {
		return err
	}
	o := badger.KeyRegistryOptions{Dir: config.Dir, ReadOnly: true, EncryptionKey: config.PreviousKey}
	registry, err := badger.OpenKeyRegistry(o)
	if errors.Is(err, badger.ErrEncryptionKeyMismatch) {
		return nil // it was rotated before, or neither key fits: Open finds out
	}
	if err != nil {
		return damaged(path, "%w", err)
	}
	o.EncryptionKey = config.EncryptionKey
	if err := badger.WriteKeyRegistry(registry, o); err != nil {
		return fmt.Errorf("badger: rotating the key of %s: %w", config.Dir, err)
	}
	config.Logger.Info("badger: the encryption key was rotated", "dir", config.Dir)
	return nil
}

// checkRegistry makes sure that the lengths in the file of keys, which Badger trusts,
// stay inside of it.
func checkRegistry(path string) error {
	const preamble = aes.BlockSize + len("Hello Badger")
	content, err := os.ReadFile(path)
	if err == nil && len(content) < preamble {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return damaged(path, "%w", err)
	}
	for rest := content[preamble:]; len(rest) > 0; {
		if len(rest) < 8 || uint64(binary.BigEndian.Uint32(rest)) > uint64(len(rest)-8) {
			return damaged(path, "it has been cut short")
		}
		rest = rest[8+binary.BigEndian.Uint32(rest):]
	}
	return nil
}

// decrypt undoes Badger's encryption of an entry in a log.
func decrypt(data, key, base []byte, offset int64) ([]byte, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	iv := binary.BigEndian.AppendUint32(append(make([]byte, 0, aes.BlockSize), base...), uint32(offset))
	out := make([]byte, len(data))
	cipher.NewCTR(block, iv).XORKeyStream(out, data)
	return out, nil
}
