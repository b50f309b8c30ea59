package security

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// rereadPause is how long what was read of the files counts.
const rereadPause = time.Second

// rereadFiles are the files of a node's certificate, which others replace while it runs.
type rereadFiles struct {
	paths   CertificateFiles
	cluster string

	mu      sync.Mutex // guards what is below
	read    time.Time
	content [3][]byte // of CA, Certificate and Key
	version uint64    // grows when one of them changes
	roots   *x509.CertPool
	failed  error // why roots are not what the CA file says
}

// openFiles reads the files for the first time.
func openFiles(paths CertificateFiles, cluster string) (*rereadFiles, Peer, error) {
	f := &rereadFiles{paths: paths, cluster: cluster}
	roots, err := f.trusted()
	if err != nil {
		return nil, Peer{}, err
	}
	_, peer, err := paths.load(cluster, roots)
	return f, peer, err
}

// trusted returns the authorities of the CA file, or the last good ones with an error that
// says why they are not those of the file.
func (f *rereadFiles) trusted() (*x509.CertPool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refresh()
	return f.roots, f.failed
}

// changes counts the changes of the files.
func (f *rereadFiles) changes() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refresh()
	return f.version
}

// refresh reads the files again if it is time. It needs the lock.
func (f *rereadFiles) refresh() {
	now := time.Now()
	if since := now.Sub(f.read); !f.read.IsZero() && since >= 0 && since < rereadPause {
		return
	}
	f.read = now
	for i, path := range []string{f.paths.CA, f.paths.Certificate, f.paths.Key} {
		content, err := os.ReadFile(path)
		if i == 0 {
			f.trust(content, err)
		}
		if err == nil && !bytes.Equal(content, f.content[i]) {
			f.content[i] = content
			f.version++
		}
	}
}

// trust makes the content of the CA file what is trusted, if it can. It needs the lock.
func (f *rereadFiles) trust(content []byte, err error) {
	if err != nil {
		f.failed = fmt.Errorf("security: read the CA certificates: %w", err)
		return
	}
	roots := x509.NewCertPool()
	switch whole := bytes.Count(content, []byte("-----BEGIN ")) == bytes.Count(content, []byte("-----END ")); {
	case !whole:
		f.failed = fmt.Errorf("security: %s ends within a certificate, as when it is just being written: write another file and rename it", f.paths.CA)
		return
	case !roots.AppendCertsFromPEM(content):
		f.failed = fmt.Errorf("security: %s holds no certificate in PEM form", f.paths.CA)
		return
	}
	f.roots, f.failed = roots, nil
}

// issue returns the certificate that the files hold now.
func (f *rereadFiles) issue(node string) (*tls.Certificate, error) {
	roots, _ := f.trusted()
	certificate, peer, err := f.paths.load(f.cluster, roots)
	if err == nil && peer.Node != node {
		err = fmt.Errorf("%w: %s is now of node %q, not of %q", ErrWrongPeer, f.paths.Certificate, peer.Node, node)
	}
	return certificate, err
}

// verify decides whether a chain is of a node of the cluster, by the authorities that are
// trusted now.
func (id *Identity) verify(chain []*x509.Certificate, usage x509.ExtKeyUsage) error {
	if id.files == nil {
		return verify(chain, id.roots, id.peer.Cluster, usage)
	}
	roots, stale := id.files.trusted()
	err := verify(chain, roots, id.peer.Cluster, usage)
	if errors.Is(err, ErrUntrusted) && stale != nil {
		err = fmt.Errorf("%w (the authorities may have changed, and cannot be read again: %w)", err, stale)
	}
	return err
}
