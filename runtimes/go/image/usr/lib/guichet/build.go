// Builds one program from the Go files of a submission, whatever their names: what `go build` does, without a module
// cache, a build cache or a network.
//
//	build OUTPUT ENTRY [SOURCE…]
//
// The files in the entry's folder are package main. Each other folder is a package, imported as "./shapes" or by its path:
// "shapes", or "example/shapes" where go.mod says `module example`.
package main

import (
	"fmt"
	"go/build"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

type folder struct {
	files    []string
	compiled bool
	waiting  bool
}

type builder struct {
	top     string // the entry's folder
	module  string // what go.mod calls it
	objects string
	folders map[string]*folder
}

func main() {
	if len(os.Args) < 3 {
		fail("usage: build OUTPUT ENTRY [SOURCE…]")
	}
	output, entry := os.Args[1], os.Args[2]
	objects, err := os.MkdirTemp("", "objects")
	check(err)
	b := &builder{top: path.Dir(path.Clean(entry)), objects: objects, folders: map[string]*folder{}}
	b.module = moduleName(filepath.Join(b.top, "go.mod"))
	b.add(entry)
	for _, file := range os.Args[3:] {
		fits, err := build.Default.MatchFile(path.Dir(file), path.Base(file))
		if err != nil || fits && !strings.HasSuffix(file, "_test.go") {
			b.add(file)
		}
	}
	b.compile(".")
	run("link", "-s", "-w", "-L", objects, "-o", output, b.object("main"))
	check(os.RemoveAll(objects))
}

func (b *builder) add(file string) {
	name, err := filepath.Rel(b.top, path.Dir(path.Clean(file)))
	check(err)
	if b.folders[name] == nil {
		b.folders[name] = &folder{}
	}
	b.folders[name].files = append(b.folders[name].files, file)
}

// compile compiles a folder after those that it imports.
func (b *builder) compile(name string) {
	folder := b.folders[name]
	if folder.compiled {
		return
	}
	if folder.waiting {
		fail(folder.files[0] + ":1:1: the package imports itself in a circle")
	}
	folder.waiting = true
	for _, file := range folder.files {
		// What cannot be read is told by the compiler.
		tree, _ := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if tree == nil {
			continue
		}
		for _, one := range tree.Imports {
			said, _ := strconv.Unquote(one.Path.Value)
			if strings.HasPrefix(said, "./") || strings.HasPrefix(said, "../") {
				said = path.Join(b.importPath(name), said)
			}
			for other := range b.folders {
				if other != "." && b.importPath(other) == said {
					b.compile(other)
				}
			}
		}
	}
	pkg := "main"
	if name != "." {
		pkg = b.importPath(name)
	}
	check(os.MkdirAll(filepath.Dir(b.object(pkg)), 0o755))
	// -D: what "./shapes" is relative to. -trimpath: errors name files as they were sent.
	run(append([]string{
		"compile", "-p", pkg, "-D", b.importPath(name), "-complete", "-pack", "-trimpath", workFolder(),
		"-I", b.objects, "-o", b.object(pkg),
	}, folder.files...)...)
	folder.compiled = true
}

// importPath tells what the package in a folder is imported as.
func (b *builder) importPath(name string) string {
	return path.Join(b.module, name)
}

func (b *builder) object(pkg string) string {
	return filepath.Join(b.objects, pkg+".a")
}

func moduleName(file string) string {
	text, _ := os.ReadFile(file)
	for _, line := range strings.Split(string(text), "\n") {
		if words := strings.Fields(line); len(words) == 2 && words[0] == "module" {
			return strings.Trim(words[1], `"`)
		}
	}
	return ""
}

func workFolder() string {
	folder, err := os.Getwd()
	check(err)
	return folder
}

// run runs one of Go's own tools; if it fails, so does this program.
func run(words ...string) {
	tool := exec.Command(filepath.Join(build.ToolDir, words[0]), words[1:]...)
	tool.Stdout, tool.Stderr = os.Stderr, os.Stderr
	if err := tool.Run(); err != nil {
		if _, ended := err.(*exec.ExitError); !ended {
			fail(err.Error())
		}
		os.Exit(1)
	}
}

func check(err error) {
	if err != nil {
		fail(err.Error())
	}
}

func fail(text string) {
	fmt.Fprintln(os.Stderr, text)
	os.Exit(1)
}
