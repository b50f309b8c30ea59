package settings_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/troupe-go/troupe/settings"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// write makes a file with the content, and returns its path.
func write(t testing.TB, path, content string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// load loads a T that is closed with the test.
func load[T any](t testing.TB, sources ...settings.Source) *settings.Live[T] {
	t.Helper()
	live, err := settings.Load[T](context.Background(), sources...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(live.Close)
	return live
}

// refused returns the error of a Load that must fail.
func refused[T any](t testing.TB, sources ...settings.Source) error {
	t.Helper()
	live, err := settings.Load[T](context.Background(), sources...)
	if err == nil {
		live.Close()
		t.Fatalf("loaded as %+v", live.Get())
	}
	return err
}
