package main

import (
	"os"
	"time"

	"github.com/troupe-go/troupe/demo/internal/stage"
)

func main() {
	os.Exit(program(size{calls: 50_000, casts: 100_000, lead: time.Second}).Main())
}

func program(s size) stage.Program {
	return stage.Program{Name: "tour", Longest: 3 * time.Minute, Run: s.take, Child: live}
}
