-- | Runs a compiler of Haskell and writes what it says of a place on one line.
--
-- > main.hs:3:8: error:                                  main.hs:3:8: error: Variable not in scope: x
-- >     Variable not in scope: x                    →
module Main (main) where

import Control.Monad (forM_)
import Data.Char (isSpace)
import Data.List (dropWhileEnd, isInfixOf, isSuffixOf)
import System.Environment (getArgs)
import System.Exit (exitWith)
import System.IO (hPutStrLn, hSetEncoding, stderr, utf8)
import System.Process (readProcessWithExitCode)

main :: IO ()
main = do
  program : arguments <- getArgs
  hSetEncoding stderr utf8
  (status, out, said) <- readProcessWithExitCode program arguments ""
  forM_ (joined (lines (out ++ said))) (hPutStrLn stderr)
  exitWith status

-- | Headings that end without a message get the line behind them.
joined :: [String] -> [String]
joined (heading : message : rest) | isHeading heading = (heading ++ " " ++ dropWhile isMark message) : joined rest
joined (line : rest) = line : joined rest
joined [] = []

-- | What GHC begins a message with: blanks, and a bullet if there are several.
isMark :: Char -> Bool
isMark c = isSpace c || c == '•'

-- | @main.hs:3:8: error:@, or @main.hs:3:8: warning: [-Wunused-imports]@
isHeading :: String -> Bool
isHeading line = any (`isSuffixOf` trimmed) [": error:", ": warning:"] || named
  where
    trimmed = dropWhileEnd isSpace line
    named = "]" `isSuffixOf` trimmed && any (`isInfixOf` trimmed) [": error: [", ": warning: ["]
