package gossip

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"slices"
)

// memberlist's form of an encrypted packet with a label: the label type, the
// length of the label, the label; then the version of the encryption, the
// nonce, and the sealed payload with the label as additional data.
const (
	labelType     = 244
	sealVersion   = 1
	sealNonceLen  = 12
	sealTagLen    = 16
	largestPacket = 9 << 10 // a jumbo frame; memberlist sends far less
)

// seal tells packets of this cluster from all others. memberlist opens the
// packets again, and could do so alone, but it logs each packet that it cannot
// open, sets up a cipher for each, and v0.7.0 panics on a genuine packet whose
// version byte, which the seal does not cover, was changed on the way.
type seal struct {
	label  []byte
	prefix []byte // all that comes before the nonce
	aead   cipher.AEAD
	plain  []byte // scratch
}

func newSeal(cluster string, key []byte) (*seal, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	label := []byte(cluster)
	return &seal{
		label:  label,
		prefix: slices.Concat([]byte{labelType, byte(len(label))}, label, []byte{sealVersion}),
		aead:   aead,
		plain:  make([]byte, 0, largestPacket),
	}, nil
}

// genuine reports whether a packet was sealed with the key of this cluster and
// carries its label. It must not be called concurrently.
func (s *seal) genuine(packet []byte) bool {
	sealed, ok := bytes.CutPrefix(packet, s.prefix)
	if !ok || len(packet) > largestPacket || len(sealed) < sealNonceLen+sealTagLen {
		return false
	}
	plain, err := s.aead.Open(s.plain, sealed[:sealNonceLen], sealed[sealNonceLen:], s.label)
	return err == nil && len(plain) > 0
}
