//go:build unix

package main

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

//go:embed probe/*.go
var probeSource embed.FS

// build is the probe, made from one commit.
type build struct {
	commit  string // abbreviated
	program string
}

func (b *build) String() string { return b.commit }

// newBuild makes the probe of a revision, unless it is there from another run.
func newBuild(ctx context.Context, revision string) (*build, error) {
	commit, err := output(ctx, "", "git", "rev-parse", "--short=10", "--verify", revision+"^{commit}")
	if err != nil {
		return nil, err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, err
	}
	source, err := sourceSum()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(cache, "troupe-figures")
	b := &build{commit: commit, program: filepath.Join(dir, fmt.Sprintf("%s-%s", commit, source))}
	if _, err := os.Stat(b.program); err == nil {
		return b, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return b, b.make(ctx)
}

// sourceSum tells one probe, and what compiles it, from others.
func sourceSum() (string, error) {
	sum := sha256.New()
	fmt.Fprintln(sum, runtime.Version(), runtime.GOARCH)
	err := fs.WalkDir(probeSource, ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := probeSource.ReadFile(path)
		fmt.Fprintln(sum, path, len(text))
		sum.Write(text)
		return err
	})
	return hex.EncodeToString(sum.Sum(nil)[:6]), err
}

// make puts the probe into a worktree of the commit, builds it there, and removes the
// worktree.
func (b *build) make(ctx context.Context) (err error) {
	fmt.Fprintln(os.Stderr, "building the probe of", b.commit)
	tree, err := os.MkdirTemp("", "figures-tree-")
	if err != nil {
		return err
	}
	if _, err := output(ctx, "", "git", "worktree", "add", "--detach", tree, b.commit); err != nil {
		return err
	}
	defer func() {
		_, removing := output(context.WithoutCancel(ctx), "", "git", "worktree", "remove", "--force", tree)
		err = errors.Join(err, removing)
	}()
	if err := copyProbe(filepath.Join(tree, "demo", "figures-probe")); err != nil {
		return err
	}
	made := filepath.Join(tree, "probe")
	if _, err := output(ctx, tree, "go", "build", "-o", made, "./demo/figures-probe"); err != nil {
		return err
	}
	return moveFile(made, b.program)
}

// moveFile moves a program, also to another file system. It is there as a whole or not.
func moveFile(from, to string) error {
	program, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	part := fmt.Sprint(to, ".", os.Getpid())
	if err := os.WriteFile(part, program, 0o700); err != nil {
		return err
	}
	return os.Rename(part, to)
}

func copyProbe(to string) error {
	source, err := fs.Sub(probeSource, "probe")
	if err != nil {
		return err
	}
	return os.CopyFS(to, source)
}

// output runs a command in dir, and returns what it printed, without spaces around it.
func output(ctx context.Context, dir string, command ...string) (string, error) {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", strings.Join(command, " "), err, out)
	}
	return strings.TrimSpace(string(out)), nil
}
