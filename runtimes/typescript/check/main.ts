// `guichet runtime check` runs this: the image holds what every program is promised.
import * as fs from 'fs';
import * as os from 'os';

let missing = 0;

function check(what: string, holds: () => boolean | number): void {
    let fine: boolean | number = false;
    try {
        fine = holds();
    } catch (error) {
        console.log(String(error));
    }
    if (fine) return;
    console.log(`missing: ${what}`);
    missing = 1;
}

const { LANG, USER, LOGNAME, HOME } = process.env;
const winter = new Date(1_700_000_000_000);
const inParis: Intl.DateTimeFormatOptions = { timeZone: 'Europe/Paris', hour: '2-digit', minute: '2-digit', hour12: false };
check('the locale of LANG', () => /UTF-?8/i.test(LANG ?? '') && 'é'.localeCompare('f', 'fr') < 0);
check('the time zone Europe/Paris', () => winter.toLocaleTimeString('en', inParis) === '23:13');
check('the time zones', () => fs.existsSync('/usr/share/zoneinfo/Europe/Paris'));
check('a name for the uid', () => os.userInfo().username === USER && USER === LOGNAME);
check('a home for the uid', () => os.userInfo().homedir === HOME && os.homedir() === HOME);
check('a stream that can be opened by name', () => fs.openSync('/dev/stderr', 'w'));
check('a work folder that can be written to', () => fs.openSync('made', 'w'));
process.exit(missing);
