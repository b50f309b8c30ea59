package config

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/troupe-go/troupe/persistence"
	"github.com/troupe-go/troupe/persistence/version"
)

// maxCopy is more than the largest copy has: its values, and two remarks with every byte escaped.
const maxCopy = 1 << 20

// copyFile is the file of a document's last version: a line with the checksum of the
// rest, and the rest, a [copied] as JSON.
type copyFile struct{ dir, path, cluster, document string }

type copied struct {
	Format   version.Version      `json:"format,omitzero"` // 1.0 if it is not there
	Cluster  string               `json:"cluster"`
	Document string               `json:"document"`
	Number   uint64               `json:"number"`
	Revision persistence.Revision `json:"revision"`
	Record   json.RawMessage      `json:"record,omitempty"` // none for version 0
}

// copyVersion is that of the file.
func copyVersion() version.Version { return version.One() }

func newCopyFile(dir, cluster, document string) *copyFile {
	// The prefix keeps the name from being one that Windows takes for a device.
	return &copyFile{dir, filepath.Join(dir, "config-"+document+".json"), cluster, document}
}

// save replaces the copy, unless a program of another major version has made it. After a
// crash there is the old one, or the new one.
func (c *copyFile) save(v Version) (err error) {
	if _, err := c.load(); errors.Is(err, persistence.ErrVersion) {
		return err
	}
	data, err := c.encode(v)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(c.dir, filepath.Base(c.path)+".*") // readable by its owner alone
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), c.path)
}

// load returns the copy, or an error if it is not whole, or of another document.
func (c *copyFile) load() (Version, error) {
	f, err := os.Open(c.path)
	if err != nil {
		return Version{}, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxCopy))
	if err != nil {
		return Version{}, err
	}
	v, err := c.decode(data)
	if errors.Is(err, persistence.ErrVersion) {
		return Version{}, err
	}
	if err != nil {
		return Version{}, fmt.Errorf("the copy %s is of no use, and will be replaced: %w", c.path, err)
	}
	return v, nil
}

func (c *copyFile) encode(v Version) ([]byte, error) {
	var r json.RawMessage
	if v.Number > 0 {
		var err error
		if r, err = v.encode(); err != nil {
			return nil, err
		}
	}
	body, err := json.Marshal(copied{copyVersion(), c.cluster, c.document, v.Number, v.Revision, r})
	return append([]byte(checksum(body)+"\n"), body...), err
}

func (c *copyFile) decode(data []byte) (Version, error) {
	sum, body, _ := bytes.Cut(data, []byte("\n"))
	if string(sum) != checksum(body) {
		return Version{}, errors.New("its checksum is wrong")
	}
	var written struct {
		Format version.Version `json:"format"`
	}
	if err := json.Unmarshal(body, &written); err != nil {
		return Version{}, err
	}
	if err := copyVersion().Reads(written.Format, c.path); err != nil {
		return Version{}, fmt.Errorf("%w: %w", persistence.ErrVersion, err)
	}
	var is copied
	if err := json.Unmarshal(body, &is); err != nil {
		return Version{}, err
	}
	if is.Cluster != c.cluster || is.Document != c.document {
		return Version{}, fmt.Errorf("it is of document %q in cluster %q", is.Document, is.Cluster)
	}
	v := unwritten()
	if is.Number > 0 {
		var err error
		if v, err = decodeVersion(is.Record); err != nil {
			return Version{}, err
		}
	}
	v.Number, v.Revision = is.Number, is.Revision
	return v, nil
}

func checksum(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}
