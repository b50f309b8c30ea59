package security

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

func TestLoadOrCreateSecretCreatesOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state", "troupe")
	first, created, err := LoadOrCreateSecret(dir)
	if err != nil || !created {
		t.Fatalf("first call: created %t, error %v", created, err)
	}
	if len(*first.text) != 64 {
		t.Errorf("the secret has %d characters, want 32 bytes in hexadecimal", len(*first.text))
	}
	second, created, err := LoadOrCreateSecret(dir)
	if err != nil || created || *second.text != *first.text {
		t.Errorf("second call: created %t, same %t, error %v", created, *second.text == *first.text, err)
	}
	other, _, err := LoadOrCreateSecret(t.TempDir())
	if err != nil || *other.text == *first.text {
		t.Errorf("another folder: same secret %t, error %v", *other.text == *first.text, err)
	}
	assertOnlySecretIn(t, dir)
	if runtime.GOOS == "windows" {
		return
	}
	for path, want := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, secretFile): 0o600} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %04o, want %04o", path, got, want)
		}
	}
}

func TestGoroutinesThatRaceGetOneSecret(t *testing.T) {
	const racers = 32
	dir := filepath.Join(t.TempDir(), "troupe")
	var (
		wg      sync.WaitGroup
		start   = make(chan struct{})
		secrets [racers]Secret
		created [racers]bool
		errs    [racers]error
	)
	for i := range racers {
		wg.Go(func() {
			<-start
			secrets[i], created[i], errs[i] = LoadOrCreateSecret(dir)
		})
	}
	close(start)
	wg.Wait()

	creators := 0
	for i := range racers {
		if errs[i] != nil {
			t.Fatal(errs[i])
		}
		if *secrets[i].text != *secrets[0].text {
			t.Error("two secrets")
		}
		if created[i] {
			creators++
		}
	}
	if creators != 1 {
		t.Errorf("%d callers say that they created the secret, want 1", creators)
	}
	assertOnlySecretIn(t, dir)
}

func TestProcessesThatRaceGetOneSecret(t *testing.T) {
	const racers = 6
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "troupe")
	var (
		starts  [racers]io.Closer
		outputs [racers]*bufio.Reader
		cmds    [racers]*exec.Cmd
	)
	for i := range racers {
		cmd := exec.CommandContext(t.Context(), binary)
		cmd.Env = append(os.Environ(), racerDir+"="+dir)
		cmd.Stderr = os.Stderr
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		cmds[i], starts[i], outputs[i] = cmd, stdin, bufio.NewReader(stdout)
	}
	for _, output := range outputs {
		if line, err := output.ReadString('\n'); err != nil || line != "ready\n" {
			t.Fatalf("a process said %q, %v", line, err)
		}
	}
	for _, start := range starts {
		_ = start.Close()
	}
	creators := 0
	digests := make(map[string]bool)
	for i, cmd := range cmds {
		line, err := outputs[i].ReadString('\n')
		if err := errors.Join(err, cmd.Wait()); err != nil {
			t.Fatal(err)
		}
		digest, created, _ := strings.Cut(strings.TrimSpace(line), " ")
		digests[digest] = true
		if created == "true" {
			creators++
		}
	}
	if len(digests) != 1 || creators != 1 {
		t.Errorf("%d secrets by %d creators, want 1 by 1", len(digests), creators)
	}
	assertOnlySecretIn(t, dir)
}

func TestLoadOrCreateSecretRefusesUnusableFiles(t *testing.T) {
	for name, content := range map[string]string{
		"empty": "",
		"short": "abc\n",
		"huge":  strings.Repeat("x", maxSecretSize+1),
		"lines": testSecret + "\n" + testSecret + "\n",
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, secretFile)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, created, err := LoadOrCreateSecret(dir)
		if !errors.Is(err, ErrSecret) || created || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: created %t, error %v", name, created, err)
		}
		if left, _ := os.ReadFile(path); string(left) != content {
			t.Errorf("%s: the file was changed", name)
		}
	}
}

func TestLoadOrCreateSecretRefusesAFolderInItsPlace(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, secretFile), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, _, err := LoadOrCreateSecret(dir); !errors.Is(err, ErrSecret) {
		t.Errorf("got %v", err)
	}
}

func TestLoadOrCreateSecretRefusesAFileInPlaceOfTheFolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "troupe")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := LoadOrCreateSecret(path); err == nil {
		t.Error("no error")
	}
}

func TestLoadOrCreateSecretRefusesLoosePermissions(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows guards files by access lists")
	}
	for _, tt := range []struct {
		dir, file os.FileMode
		ok        bool
	}{
		{0o700, 0o600, true},
		{0o700, 0o400, true},
		{0o755, 0o600, true},
		{0o700, 0o640, false},
		{0o700, 0o604, false},
		{0o700, 0o620, false},
		{0o770, 0o600, false},
		{0o777, 0o600, false},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, secretFile)
		err := errors.Join(os.WriteFile(path, []byte(testSecret), 0o600), os.Chmod(path, tt.file), os.Chmod(dir, tt.dir))
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = LoadOrCreateSecret(dir)
		if tt.ok != (err == nil) || !tt.ok && (!errors.Is(err, ErrSecret) || !strings.Contains(err.Error(), "chmod")) {
			t.Errorf("folder %04o, file %04o: error %v", tt.dir, tt.file, err)
		}
	}
}

func FuzzSecretFile(f *testing.F) {
	for _, seed := range []string{"", testSecret, testSecret + "\n", "\n\n", "\xef\xbb\xbf" + testSecret, testSecret + "\x00\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, secretFile), content, 0o600); err != nil {
			t.Fatal(err)
		}
		secret, created, err := LoadOrCreateSecret(dir)
		if created {
			t.Fatal("replaced a file that was there")
		}
		if err != nil && !errors.Is(err, ErrSecret) || (err == nil) == secret.IsZero() {
			t.Fatalf("secret %t, error %v", !secret.IsZero(), err)
		}
	})
}

func assertOnlySecretIn(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 || entries[0].Name() != secretFile {
		t.Errorf("the folder holds %v, want the secret alone", entries)
	}
}
