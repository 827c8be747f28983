-- | `guichet runtime check` compiles and runs this: the image holds what every program is promised.
module Main (main) where

import Control.Concurrent (forkIO, newEmptyMVar, putMVar, takeMVar)
import Control.Exception (IOException, try)
import GHC.IO.Encoding (getLocaleEncoding)
import System.Directory (doesFileExist, getHomeDirectory)
import System.Environment (lookupEnv)
import System.Exit (ExitCode (..), exitWith)
import System.Posix.User (getRealUserID, getUserEntryForID, homeDirectory, userName)

main :: IO ()
main = do
  encoding <- getLocaleEncoding
  zone <- doesFileExist "/usr/share/zoneinfo/Europe/Paris"
  user <- attempt (getRealUserID >>= getUserEntryForID)
  names <- mapM lookupEnv ["USER", "LOGNAME"]
  home <- getHomeDirectory
  opened <- attempt (writeFile "/dev/stderr" "")
  written <- attempt (writeFile "made" "été")
  box <- newEmptyMVar
  _ <- forkIO (putMVar box ())
  takeMVar box
  let found =
        [ (show encoding == "UTF-8", "the locale of LANG"),
          (zone, "the time zone Europe/Paris"),
          (maybe False (\u -> all (== Just (userName u)) names) user, "a name for the uid"),
          (fmap homeDirectory user == Just home, "a home for the uid"),
          (opened == Just (), "a stream that can be opened by name"),
          (written == Just (), "a work folder that can be written to")
        ]
      missing = [what | (False, what) <- found]
  mapM_ (putStrLn . ("missing: " ++)) missing
  exitWith (if null missing then ExitSuccess else ExitFailure 1)

attempt :: IO a -> IO (Maybe a)
attempt action = either none Just <$> try action
  where
    none :: IOException -> Maybe a
    none _ = Nothing
