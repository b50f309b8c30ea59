package consensus

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/troupe-go/troupe/persistence"
	"github.com/troupe-go/troupe/persistence/version"
)

// identity is what a node remembers of its core, also over a restart.
type identity struct {
	Node string `json:"node"`
	// Core is the one this node takes part in; it will never found another. Founded
	// says that it has had a leader, so that it is more than an intention.
	Core    string `json:"core"`
	Founded bool   `json:"founded,omitempty"`
	// Server is that of the replica in the folder, empty if there is none.
	Server string `json:"server,omitempty"`
	// LeftAt says when the node left, as in RFC 3339, and LeftTo which nodes with a vote
	// were there then; both are empty while it takes part.
	LeftAt string `json:"left_at,omitempty"`
	LeftTo string `json:"left_to,omitempty"`
}

// identityFile is how an identity is kept. Its version is that of the whole folder: of the
// log and of what the replica holds, too. It is looked at before anything else.
type identityFile struct {
	Version version.Version `json:"version,omitzero"`
	identity
}

// folderVersion is the version of the folder of a core.
func folderVersion() version.Version { return version.One() }

// What is in the folder of a core.
const (
	identityName  = "core.json"
	replicaFolder = "replica"
)

// readIdentity returns what dir holds; nothing if there is nothing, or no dir.
func readIdentity(dir string) (id identity, err error) {
	if dir == "" {
		return identity{}, nil
	}
	path := filepath.Join(dir, identityName)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return identity{}, nil
	}
	if err == nil {
		id, err = decodeIdentity(data, dir)
	}
	if errors.Is(err, persistence.ErrVersion) {
		return identity{}, fmt.Errorf("consensus: reading %s: %w", path, err)
	}
	if err == nil && (id.Core == "" || id.Node == "") {
		err = errors.New("it names no core")
	}
	if err != nil {
		return identity{}, fmt.Errorf("consensus: reading %s: %w; restore the file, or remove the folder if other nodes have the data", path, err)
	}
	return id, nil
}

// decodeIdentity returns what the file in dir holds, if this program may use the folder.
func decodeIdentity(data []byte, dir string) (identity, error) {
	var written struct {
		Version version.Version `json:"version"`
	}
	if err := json.Unmarshal(data, &written); err != nil {
		return identity{}, err
	}
	if err := folderVersion().Reads(written.Version, dir); err != nil {
		return identity{}, fmt.Errorf("%w: %w", persistence.ErrVersion, err)
	}
	var file identityFile
	err := json.Unmarshal(data, &file)
	return file.identity, err
}

// write makes id what dir holds, durably; nothing if it is zero.
func (id identity) write(dir string) error {
	switch {
	case dir == "":
		return nil
	case id == identity{}:
		return os.Remove(filepath.Join(dir, identityName))
	}
	data, err := json.Marshal(identityFile{folderVersion(), id})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	path := filepath.Join(dir, identityName)
	f, err := os.CreateTemp(dir, identityName+"-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return syncFolder(dir)
}

func syncFolder(dir string) error {
	if runtime.GOOS == "windows" { // it syncs a rename with the file
		return nil
	}
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// newServer returns the ID of a server that has never been.
func newServer(node string) string { return node + "/" + randomHex(4) }

func newCore() string { return randomHex(8) }

func randomHex(bytes int) string {
	b := make([]byte, bytes)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
