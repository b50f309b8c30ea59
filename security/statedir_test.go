package security

import (
	"path/filepath"
	"testing"
)

func TestStateDir(t *testing.T) {
	xdg := t.TempDir() // absolute on every system
	for _, tt := range []struct {
		goos string
		env  map[string]string
		want string
	}{
		{"linux", map[string]string{"TROUPE_STATE_DIR": "x", "XDG_STATE_HOME": xdg, "HOME": "h"}, "x"},
		{"windows", map[string]string{"TROUPE_STATE_DIR": "x", "LocalAppData": "l"}, "x"},
		{"linux", map[string]string{"XDG_STATE_HOME": xdg, "HOME": "h"}, filepath.Join(xdg, "troupe")},
		{"linux", map[string]string{"XDG_STATE_HOME": "relative", "HOME": "h"}, filepath.Join("h", ".local", "state", "troupe")},
		{"linux", map[string]string{"HOME": "h"}, filepath.Join("h", ".local", "state", "troupe")},
		{"freebsd", map[string]string{"HOME": "h"}, filepath.Join("h", ".local", "state", "troupe")},
		{"darwin", map[string]string{"HOME": "h"}, filepath.Join("h", "Library", "Application Support", "troupe")},
		{"windows", map[string]string{"LocalAppData": "l", "HOME": "h"}, filepath.Join("l", "troupe")},
	} {
		got, err := stateDir(tt.goos, func(key string) string { return tt.env[key] })
		if err != nil || got != tt.want {
			t.Errorf("%s %v: got %q, %v, want %q", tt.goos, tt.env, got, err, tt.want)
		}
	}
}

func TestStateDirWithoutAHome(t *testing.T) {
	if dir, err := StateDir(func(string) string { return "" }); err == nil {
		t.Errorf("got %q and no error", dir)
	}
}
