# Runs a program as `Rscript` would, and tells the lines of an error: R --file=run.R --args PROGRAM [ARGUMENT…]

local({
    words <- commandArgs()
    at <- match("--args", words)
    program <- words[at + 1]
    words <- words[-(at + 1)]
    words[startsWith(words, "--file=")] <- paste0("--file=", program)
    # R would read `~` as the home.
    if (startsWith(program, "~")) program <- paste0("./", program)

    evaluate <- function(expressions) {
        result <- NULL
        for (at in seq_along(expressions)) {
            result <- withVisible(eval(expressions[at], globalenv()))
            if (result$visible) if (isS4(result$value)) methods::show(result$value) else print(result$value)
        }
        invisible(result$value)
    }
    # The frames below the program's own: it is told its frames without them.
    frames <- evaluate(expression(invisible((function() sys.nframe() - 1L)())))

    change <- function(name, value) {
        base <- baseenv()
        unlockBinding(name, base)
        assign(name, value, base)
        lockBinding(name, base)
    }
    change("commandArgs", function(trailingOnly = FALSE) {
        if (trailingOnly) words[-seq_len(match("--args", words))] else words
    })
    change("sys.nframe", function() {
        frame <- sys.parent()
        if (frame == 0L) 0L else frame - frames
    })

    tell_places <- function() {
        for (call in rev(sys.calls())) {
            place <- attr(call, "srcref")
            if (!is.null(place)) cat("  at ", attr(place, "srcfile")$filename, ":", place[1], "\n", sep = "", file = stderr())
        }
        quit(save = "no", status = 1)
    }
    # Of what is read from here on R remembers the lines; this file itself is read already.
    options(keep.source = TRUE, showErrorCalls = FALSE, error = tell_places)
    invisible(evaluate(parse(program, encoding = "UTF-8")))
})
