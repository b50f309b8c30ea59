package security

import (
	"errors"
	"path/filepath"
	"runtime"
)

// StateDir returns the folder where Troupe keeps what one user's nodes need
// between runs; it does not make it. It is the first that is set of
//
//	$TROUPE_STATE_DIR
//	$XDG_STATE_HOME/troupe                  (if absolute: XDG Base Directory Specification)
//	%LocalAppData%\troupe                   on Windows
//	~/Library/Application Support/troupe    on macOS
//	~/.local/state/troupe                   elsewhere
//
// The environment is read through getenv, mostly os.Getenv. It returns an error
// if none of these is set.
func StateDir(getenv func(string) string) (string, error) {
	return stateDir(runtime.GOOS, getenv)
}

func stateDir(goos string, getenv func(string) string) (string, error) {
	if dir := getenv("TROUPE_STATE_DIR"); dir != "" {
		return dir, nil
	}
	if dir := getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "troupe"), nil
	}
	home, inHome := "HOME", filepath.Join(".local", "state", "troupe")
	switch goos {
	case "windows":
		home, inHome = "LocalAppData", "troupe"
	case "darwin":
		inHome = filepath.Join("Library", "Application Support", "troupe")
	}
	dir := getenv(home)
	if dir == "" {
		return "", errors.New("security: no state folder: neither TROUPE_STATE_DIR nor " + home + " is set")
	}
	return filepath.Join(dir, inHome), nil
}
