package consensus

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
)

// spoolFolder holds streams on their way, inside the folder of the replica.
const spoolFolder = "spool"

// spool keeps a stream until somebody can read it: in a file, or in memory if the
// replica is there too. It is not safe for concurrent use.
type spool struct {
	file   *os.File
	memory bytes.Buffer
	size   int64
}

// newSpool makes a spool for a replica in dir.
func newSpool(dir string) (*spool, error) {
	if dir == "" {
		return &spool{}, nil
	}
	f, err := os.CreateTemp(filepath.Join(dir, spoolFolder), "*")
	if err != nil {
		return nil, err
	}
	return &spool{file: f}, nil
}

// clearSpools removes what a crash has left, and makes sure that there is a folder.
func clearSpools(dir string) error {
	if dir == "" {
		return nil
	}
	folder := filepath.Join(dir, spoolFolder)
	return errors.Join(os.RemoveAll(folder), os.MkdirAll(folder, 0o700))
}

// Write appends to the stream.
func (s *spool) Write(p []byte) (n int, err error) {
	if s.file != nil {
		n, err = s.file.Write(p)
	} else {
		n, err = s.memory.Write(p)
	}
	s.size += int64(n)
	return n, err
}

// reader returns the stream from its beginning, after everything has been written.
func (s *spool) reader() io.Reader {
	if s.file != nil {
		return io.NewSectionReader(s.file, 0, s.size)
	}
	return bytes.NewReader(s.memory.Bytes())
}

// remove ends the use of the spool.
func (s *spool) remove() error {
	if s.file == nil {
		s.memory = bytes.Buffer{}
		return nil
	}
	return errors.Join(s.file.Close(), os.Remove(s.file.Name()))
}
