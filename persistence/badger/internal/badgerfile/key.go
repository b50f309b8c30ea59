package badgerfile

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"io"
	"os"
)

// CheckRegistry makes sure that the lengths in the file of keys, which Badger trusts,
// stay inside of it.
func CheckRegistry(path string) error {
	const preamble = aes.BlockSize + len("Hello Badger")
	content, err := os.ReadFile(path)
	if err == nil && len(content) < preamble {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return Damaged(path, "%w", err)
	}
	for rest := content[preamble:]; len(rest) > 0; {
		if len(rest) < 8 || uint64(binary.BigEndian.Uint32(rest)) > uint64(len(rest)-8) {
			return Damaged(path, "it has been cut short")
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
