package security

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

const secretFile = "secret"

// LoadOrCreateSecret returns the secret in the file "secret" of dir. If there is
// none yet it makes dir (mode 0700) and the file (mode 0600, 32 random bytes in
// hexadecimal), and reports created. It may be called at once from any number of
// goroutines and processes: one creates the secret, all return it.
//
// It returns an error that wraps [ErrSecret] if the content of the file is no
// secret ([ParseSecret]), if it is no regular file, or, except on Windows, if
// others than its owner may read the file or write to dir.
func LoadOrCreateSecret(dir string) (secret Secret, created bool, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return Secret{}, false, fmt.Errorf("security: make the state folder: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return Secret{}, false, fmt.Errorf("security: read the state folder: %w", err)
	}
	if err := checkPermissions(dir, info, 0o022, "0700"); err != nil {
		return Secret{}, false, err
	}
	path := filepath.Join(dir, secretFile)
	secret, err = loadSecret(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return secret, false, err
	}
	if created, err = createSecret(path); err != nil {
		return Secret{}, false, fmt.Errorf("security: cannot store a new secret, give the node one yourself: %w", err)
	}
	secret, err = loadSecret(path)
	return secret, created, err
}

func loadSecret(path string) (Secret, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Secret{}, fmt.Errorf("security: read the secret: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxSecretSize {
		return Secret{}, fmt.Errorf("%w: %s is not a file of at most %d bytes: move it away to have a new secret made",
			ErrSecret, path, maxSecretSize)
	}
	if err := checkPermissions(path, info, 0o077, "0600"); err != nil {
		return Secret{}, err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return Secret{}, fmt.Errorf("security: read the secret: %w", err)
	}
	secret, err := ParseSecret(string(text))
	if err != nil {
		return Secret{}, fmt.Errorf("%w: or remove %s to have it made", err, path)
	}
	return secret, nil
}

// createSecret makes path with a new secret in it, whole or not at all. It
// reports false if somebody else was faster.
func createSecret(path string) (created bool, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".secret-*") // mode 0600
	if err != nil {
		return false, err
	}
	defer os.Remove(f.Name())

	var random [32]byte
	_, _ = rand.Read(random[:]) // never fails
	_, err = f.WriteString(hex.EncodeToString(random[:]) + "\n")
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return false, err
	}
	// A link, unlike a rename, does not replace what is there.
	err = os.Link(f.Name(), path)
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	return err == nil, err
}

// checkPermissions refuses a file or folder that grants any of the forbidden
// permissions. On Windows the access list that the user's profile hands down
// guards it, and mode bits mean nothing.
func checkPermissions(path string, info fs.FileInfo, forbidden fs.FileMode, want string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	if mode := info.Mode().Perm(); mode&forbidden != 0 {
		return fmt.Errorf("%w: others have access to %s (mode %04o): run 'chmod %s %s'", ErrSecret, path, mode, want, path)
	}
	return nil
}
