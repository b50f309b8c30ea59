package badger

import (
	"io/fs"
	"syscall"
	"unsafe"
)

// freeSpace returns the bytes that this user may still write to the disk of dir.
func freeSpace(dir string) (int64, error) {
	path, err := syscall.UTF16PtrFromString(dir)
	if err != nil {
		return 0, err
	}
	call := syscall.NewLazyDLL("kernel32.dll").NewProc("GetDiskFreeSpaceExW")
	var free uint64
	if ok, _, err := call.Call(uintptr(unsafe.Pointer(path)), uintptr(unsafe.Pointer(&free)), 0, 0); ok == 0 {
		return 0, err
	}
	return int64(free), nil
}

func allocated(info fs.FileInfo) int64 { return info.Size() }
