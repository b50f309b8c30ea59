package spool

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
)

// Folder holds streams on their way, inside the folder of the replica.
const Folder = "spool"

// Spool keeps a stream until somebody can read it: in a file, or in memory if the
// replica is there too. It is not safe for concurrent use.
type Spool struct {
	file   *os.File
	memory bytes.Buffer
	size   int64
}

// New makes a spool for a replica in dir, which [Clear] has prepared; empty is in memory.
func New(dir string) (*Spool, error) {
	if dir == "" {
		return &Spool{}, nil
	}
	f, err := os.CreateTemp(filepath.Join(dir, Folder), "*")
	if err != nil {
		return nil, err
	}
	return &Spool{file: f}, nil
}

// Clear removes what a crash has left, and makes sure that there is a folder.
func Clear(dir string) error {
	if dir == "" {
		return nil
	}
	folder := filepath.Join(dir, Folder)
	return errors.Join(os.RemoveAll(folder), os.MkdirAll(folder, 0o700))
}

// Write appends to the stream.
func (s *Spool) Write(p []byte) (n int, err error) {
	if s.file != nil {
		n, err = s.file.Write(p)
	} else {
		n, err = s.memory.Write(p)
	}
	s.size += int64(n)
	return n, err
}

// Size returns how many bytes have been written.
func (s *Spool) Size() int64 { return s.size }

// Reader returns the stream from its beginning, after everything has been written.
func (s *Spool) Reader() io.Reader {
	if s.file != nil {
		return io.NewSectionReader(s.file, 0, s.size)
	}
	return bytes.NewReader(s.memory.Bytes())
}

// Remove ends the use of the spool.
func (s *Spool) Remove() error {
	if s.file == nil {
		s.memory = bytes.Buffer{}
		return nil
	}
	return errors.Join(s.file.Close(), os.Remove(s.file.Name()))
}
