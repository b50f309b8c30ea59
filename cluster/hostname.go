package cluster

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// A node without a name is called after its host. Hosts of other networks, and copies of
// one image, may have the same name: then the later one gets a suffix, which it keeps in
// its state folder.

// hostFile is the file in the state folder with the name of the host, once that needs a
// suffix.
const hostFile = "host"

// suffixLen makes a collision of suffixes rare; if there is one, another is drawn.
const suffixLen = 4

// hostName returns what nodes without a name are called after.
func (c *config) hostName() string {
	host := hostName()
	if kept := c.keptHostName(); isSuffixed(kept, host) {
		return kept
	}
	return host
}

// keptHostName returns what the state folder holds, or "".
func (c *config) keptHostName() string {
	dir, err := c.state()
	if err != nil {
		return ""
	}
	kept, err := os.ReadFile(filepath.Join(dir, hostFile))
	if err != nil || len(kept) > 128 {
		return ""
	}
	return string(kept)
}

// isSuffixed reports whether a name is that of the host with a suffix.
func isSuffixed(name, host string) bool {
	suffix, ok := strings.CutPrefix(name, host+"-")
	return ok && len(suffix) == suffixLen && strings.Trim(suffix, "abcdefghijklmnopqrstuvwxyz234567") == ""
}

// renameHost gives the host a suffix, or another one than the node with that name has, now
// and after restarts.
func (c *config) renameHost(node string) error {
	host := hostName()
	if kept := c.keptHostName(); isSuffixed(kept, host) && !strings.HasPrefix(node, kept+"-") {
		return nil // another process of this host was faster
	}
	dir, err := c.state()
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(dir, hostFile+".*")
	if err != nil {
		return err
	}
	_, err = file.WriteString(host + "-" + strings.ToLower(rand.Text()[:suffixLen]))
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), filepath.Join(dir, hostFile))
	}
	if removal := os.Remove(file.Name()); err != nil && !errors.Is(removal, fs.ErrNotExist) {
		err = errors.Join(err, removal)
	}
	return err
}

// hostName returns the host's name, made fit for a node's.
func hostName() string {
	name, _ := os.Hostname()
	name, _, _ = strings.Cut(name, ".")
	name = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return '-'
	}, name)
	if name = strings.Trim(name, "-"); name == "" {
		return "node"
	}
	return name[:min(len(name), 40)]
}
