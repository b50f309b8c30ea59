package discovery

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/troupe-go/troupe/persistence/version"
)

const maxRecord = 1024 // bytes

// record is the content of address files.
type record struct {
	Version version.Version `json:"version,omitzero"` // 1.0 if it is not there
	Address string          `json:"address"`
}

// recordVersion is that of address files.
func recordVersion() version.Version { return version.One() }

// write replaces the file of name in one step. Only the holder of name may call it.
func (f *folder) write(name, suffix, address string) error {
	data, err := json.Marshal(record{recordVersion(), address})
	if err != nil {
		return err
	}
	target := f.file(name, suffix)
	if err := os.WriteFile(target+tempSuffix, data, 0o600); err != nil {
		return fmt.Errorf("discovery: cannot save the address of %q: %w", name, err)
	}
	if err := os.Rename(target+tempSuffix, target); err != nil {
		return fmt.Errorf("discovery: cannot save the address of %q: %w", name, err)
	}
	return nil
}

// read returns the address in a file of name.
func (f *folder) read(name, suffix string) (string, error) {
	path := f.file(name, suffix)
	if err := checkRegular(path); err != nil {
		return "", err
	}
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxRecord+1))
	if err != nil {
		return "", err
	}
	address, err := decodeRecord(data)
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return address, nil
}

// checkRegular refuses what must not be opened: a pipe would block, a link would
// lead out of the folder.
func checkRegular(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("discovery: %s is not a regular file: remove it", path)
	}
	return nil
}

func decodeRecord(data []byte) (string, error) {
	if len(data) > maxRecord {
		return "", fmt.Errorf("discovery: record of more than %d bytes", maxRecord)
	}
	var written struct {
		Version version.Version `json:"version"`
	}
	if err := json.Unmarshal(data, &written); err != nil {
		return "", fmt.Errorf("discovery: record is not JSON: %w", err)
	}
	if err := recordVersion().Reads(written.Version, "the record"); err != nil {
		return "", fmt.Errorf("discovery: %w", err)
	}
	var r record
	if err := json.Unmarshal(data, &r); err != nil {
		return "", fmt.Errorf("discovery: record is not JSON: %w", err)
	}
	return r.Address, checkAddress(r.Address)
}

func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
