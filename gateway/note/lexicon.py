"""English as clinicians and patients speak it: the word lists behind the evidence check. Data alone.

A *concept* is a word brought to the form in which two wordings of the same thing meet: "hypertension" and "high blood
pressure", "wks" and "weeks". What is listed here is general; nothing is tuned to a text.
"""


def _list(text: str) -> list[str]:
    return text.split()


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


STOP = _words("""
longer approximately approx around roughly upon become became initially first owing amid rate rated regard regarding
visited likewise overall additional mild-to-moderate then afterwards subsequently primarily mainly largely somewhat
fairly score a an the and or of to in is was were are be been being am that this these those it its for on with as
at by from so than there here have has had having do does did doing but they their them themselves themself he she
his her hers him himself herself who whom whose which what when where how why i me my mine myself you your yours
yourself we us our ours one ones patient client clinician therapist provider doctor mr mrs ms dr writer individual
person report state deny endorse note mention say tell ask describe express indicate share acknowledge explain admit
remark add respond will would can could should may might must shall also about just really like yeah yes okay ok um
uh hmm mm know think thinking believe guess suppose going gonna go get got getting some any all well if because
while into up out over hey very much too more most lot bit little quite rather still even only no not never none
nothing nobody neither nor without currently now today feel such including etc per via let back again s t d m ll re
ve wan na gon
""")
"""Words that carry nothing by themselves, as stems."""

GENERIC = _words("""
complete obtain next last record show cause arrive fall make causing talk week assist bring send decide agree tell
long share feel reflect rest answer return remain schedule appointment check lab before monitor ensure assess review
discuss provide importance overall adjust progress appropriate further additional need necessary information manage
management evaluate evaluation condition status history current symptom follow treatment plan regular continue
session visit thing time way take use work help want try start keep come see look issue problem experience level due
related regarding general various several well part able recent recently present occur happen since during identify
address focus effort process support encourage
""")
"""Words that a note is made of: they carry less than others."""

NEUTRAL = _words("mood affect appearance speech thought sleep appetite energy exam examination")

SYNONYMS = (
    (r"\bpts?\b\.?(?!s)", "patient"),
    (r"\bclients?\b", "patient"),
    (r"\bc/o\b|\bcomplain(s|ed|ing)? (of|about)\b", "reports"),
    (r"\bf/u\b|\bfollow(ed|ing|s)?[- ]?up\b|\brtc\b|\breturn to clinic\b", "followup"),
    (
        r"\bsee (you|me|us) (again|back|in|next)\b|\b(come|coming) back (?=in |next |on |for )|\bmeet again\b",
        "followup in ",
    ),
    (r"\b(come|comes|came|coming|went|go|goes|going|gone) back\b", "return"),
    (r"\bses?\b|\bs\.e\.", "sideeffect"),
    (r"\bca\b", "cancer"),
    (r"/ ?(?:wk|week)\b", " weekly"),
    (r"/ ?(?:d|day)\b", " daily"),
    (r"/ ?(?:mo|month)\b", " monthly"),
    (r"/ ?night\b", " night"),
    (r"\b(cl|ct)\b\.?(?= )", "patient"),
    (r"\bgrps?\b\.?", "group"),
    (r"\bnxt\b", "next"),
    (r"\bhw\b", "homework"),
    (r"\baff\b\.?", "affect"),
    (r"\bmon\b\.?(?=[ ,.;]|$)", "monday"),
    (r"\btues?\b\.?", "tuesday"),
    (r"\bwed\b\.?", "wednesday"),
    (r"\bthu(?:rs?)?\b\.?", "thursday"),
    (r"\bfri\b\.?", "friday"),
    (r"\bsat\b\.?(?=[,;]|$)", "saturday"),
    (r"\bsun\b\.?(?=[,; ]|$)", "sunday"),
    (r"\bjan\b\.?", "january"),
    (r"\bfeb\b\.?", "february"),
    (r"\baug\b\.?", "august"),
    (r"\bsept?\b\.?", "september"),
    (r"\boct\b\.?", "october"),
    (r"\bnov\b\.?", "november"),
    (r"\b(rather than|instead of|as opposed to)\b", "not"),
    (
        r"\bunemployed\b|\b(?:lost|loses|losing) (?:(?:his|her|their|my|a|the) )?jobs?\b|\bout of work\b|"
        r"\blaid off\b",
        "joblost",
    ),
    (r"\b(?:single|not (?:dating|seeing) (?:anyone|anybody))\b", "single"),
    (r"\bsnap(?:s|ped|ping)? at\b", "irritability"),
    (
        r"\bpassed away\b|\bdeceased\b|\blate (?=mother|father|husband|wife|brother|sister|partner|son|"
        r"daughter|grand)",
        "dead ",
    ),
    (r"\b(?:panic|anxiety) (?:episodes?|attacks?)\b", "panic attack"),
    (r"\bin (the )?(am|a\.m\.)(?!\w)", "in the morning"),
    (r"\b(previous|prior|earlier|preceding)\b|\blast (?=month|year)", "before "),
    (r"\bhx\b( of)?|\bh/o\b", "history of"),
    (r"\bs/p\b|\bstatus post\b", "after"),
    (r"\btx\b", "treatment"),
    (r"\brx\b|\bmeds?\b|\bmedicines?\b|\bpills?\b|\btablets?\b", "medication"),
    (r"\bdx('?d)?\b|\bdiagnos(is|es)\b|\bdiagnosed\b", "diagnose"),
    (r"\bsx\b|\bsxs\b", "symptom"),
    (r"\bappts?\b\.?", "appointment"),
    (r"\bsess\b", "session"),
    (r"\bw/o\b", "without"),
    (r"\bw/(?=\s|\w)", "with "),
    (r"\bb/c\b", "because"),
    (r"\bcont'?d?\b\.?(?=\s)", "continue"),
    (r"\b(d/c|dc'?d|discontinu\w+|ceas(e|ed|ing))\b", "stop"),
    (
        r"\b(inc(r|r?\.)(?!\w)|(increas|rais)(e|es|ed|ing)\b|titrat\w+( up)?|(went|go|going) up\b|"
        r"higher\b)",
        "increase",
    ),
    (
        r"\b(dec(r|r?\.)(?!\w)|(decreas|reduc|lower)(e|es|ed|ing|tion|s)?\b|(went|go|going) down\b|(fewer|less)\b)",
        "decrease",
    ),
    (r"\bhypertension\b|\bhtn\b|\bhigh bp\b|\bhigh blood pressures?\b|\belevated blood pressure\b", "hypertension"),
    (r"\bbp\b", "blood pressure"),
    (r"\bhr\b|\bheart rate\b", "pulse"),
    (r"\bwt\b", "weight"),
    (r"\betoh\b|\bdrinks? alcohol\b", "alcohol"),
    (r"\bthc\b|\bcannabis\b|\bweed\b|\bpot\b", "marijuana"),
    (r"\b(dyspnea|sob|short of breath|(problems?|trouble|difficulty) breathing)\b", "shortness of breath"),
    (r"\b(hyperlipidemia|hypercholesterolemia|hld)\b", "high cholesterol"),
    (r"\bdm2?\b|\bdiabetic\b", "diabetes"),
    (r"\bmdd\b", "major depression"),
    (r"\bgad\b(?!-)", "generalized anxiety"),
    (r"\bpost[- ]traumatic stress( disorder)?\b", "ptsd"),
    (r"\bcognitive behaviou?ral( therapy)?\b", "cbt"),
    (
        r"\b(in|within|after|for|of|past|last|about|than) (?:about |around |the )?an? (week|month|year|hour|day)\b",
        r"\1 1 \2",
    ),
    (r"\ban? (week|month|year|hour|day)(?= (?:ago|later|from))", r"1 \1"),
    (r"\b(under (good |better )?control|well[- ]controlled)\b", "controlled"),
    (r"\b(out of control|poorly controlled)\b", "not controlled"),
    (r"\bbid\b|\b(two|2) times (a|per) day\b|\btwice (a day|daily)\b", "2 times daily"),
    (r"\btid\b|\b(three|3) times (a|per) day\b", "3 times daily"),
    (r"\bq\.?d\b\.?|\bqday\b|\bonce (a day|daily)\b|\bevery day\b|\b(a|per|each) day\b", "daily"),
    (r"\bqam\b|\b(every|each) morning\b|\bin the mornings?\b", "daily morning"),
    (
        r"\bqhs\b|\bqpm\b|\b(every|each) night\b|\bnightly\b|\bat (bed ?time|night)\b|"
        r"\bevery evening\b",
        "daily night",
    ),
    (r"\bevery week\b|\b(a|per|each) week\b", "weekly"),
    (r"\bevery month\b|\b(a|per|each) month\b", "monthly"),
    (r"\bprn\b|\bas needed\b|\bwhen needed\b", "prn"),
    (r"\bonce\b", "1 time"),
    (r"\btwice\b", "2 times"),
    (r"\ba couple( of)?\b", "2"),
    (r"\bhalf an hour\b", "30 minutes"),
    (r"\bwks?\b", "week"),
    (r"\bmos?\b(?=[ .,;)]|$)", "month"),
    (r"\byrs?\b|\by/o\b|\byo\b|\byear[- ]olds?\b", "year"),
    (r"\bhrs?\b", "hour"),
    (r"\bmins?\b", "minute"),
    (r"\b(anxious|anxiously|nervous(ness)?|anx)\b", "anxiety"),
    (r"\b(depressed|depressive|dep)\b", "depression"),
    (r"\b(tired(ness)?|exhaust(ed|ion)|fatigued|worn out)\b", "fatigue"),
    (r"\b(dizzy|light[- ]?headed(ness)?)\b", "dizziness"),
    (r"\b(hurts?|sore(ness)?|aches?|aching|painful)\b", "pain"),
    (r"\b(nauseous|nauseated)\b", "nausea"),
    (r"\b(threw|throw(s|ing)?) up\b|\bvomit\w*\b", "vomit"),
    (r"\b(irritable|cranky|short[- ]tempered|irritated)\b", "irritability"),
    (r"\b(tearful(ness)?|cried|cries|crying|in tears|teary)\b", "cry"),
    (r"\b(worries|worried|worrying)\b", "worry"),
    (r"\b(panicked|panicky|panics)\b", "panic"),
    (r"\b(sad(ness)?|down in the dumps|feeling (down|low|blue))\b", "sad"),
    (r"\b(angry|mad)\b", "anger"),
    (r"\bbelly\b|\bstomach\b|\babdom(en|inal)\b|\btummy\b", "abdomen"),
    (r"\b(swollen|swell(s|ing)?|edema)\b", "swell"),
    (r"\b(bilateral(ly)?)\b", "both"),
    (r"\belevated\b", "high"),
    (r"\bhome[- ]?work( assignment)?\b", "homework"),
    (r"\bside[- ]effects?\b|\badverse effects?\b", "sideeffect"),
    (r"\b(asleep|sleeping|sleeps|slept|insomnia)\b", "sleep"),
    (r"\b(wak(e|es|ing)( up)?|woken?( up)?|awaken(s|ed|ing|ings)?|awake)\b", "wake"),
    (r"\b(mom|mum|mama)\b", "mother"),
    (r"\b(dad|daddy|papa)\b", "father"),
    (r"\b(kids?|children)\b", "child"),
    (r"\bgf\b", "girlfriend"),
    (r"\bbf\b", "boyfriend"),
    (r"\b(spouse)\b", "partner"),
    (r"\b(boss|manager|supervisor)\b", "supervisor"),
    (r"\b(co-?workers?|colleagues?)\b", "colleague"),
    (r"\b(job|workplace|employment|employed)\b", "work"),
    (r"\b(bedtime)\b", "bed time"),
    (r"\b(improv(e|es|ed|ing|ement)|brighter|gotten better|get(s|ting)? better)\b", "better"),
    (r"\b(worsen(s|ed|ing)?|deteriorat\w+|aggravat\w+|get(s|ting)? worse)\b", "worse"),
    (r"\b(begin|began|begun|initiat(e|es|ed|ing))\b", "start"),
    (r"\b(nightmares?|bad dreams?)\b", "nightmare"),
    (r"\b(physician|doctor)s?\b", "doctor"),
    (r"\b(lab ?work|blood ?work|labs)\b", "lab"),
    (r"\b(x-?rays?|radiographs?)\b", "xray"),
    (r"\buncontrolled\b", "not controlled"),
    (r"\b(unchanged|no change(s)?|about the same)\b", "same"),
    (r"\bunable to\b", "cannot"),
    (r"\b(argument|arguing|argued|argues|fights?|fighting|fought|quarrel\w*)\b", "argue"),
    (r"\b(assignments?)\b", "assign"),
    (r"\b(upcoming)\b", "next"),
    (r"\bresidence\b|\bhouse\b", "home"),
    (r"\battend(s|ed|ing)?\b", "go to"),
)
"""Wordings that mean the same, as (pattern, replacement) over lower-cased text."""

SAME = _list("""
afraid:scared,frightened,fearful,terrified,scares,frightens,scare,frighten
drowsiness:drowsy,groggy,grogginess,sleepy,sedated,sedation,sedating,somnolent
television:tv autumn:fall quiet:soft,softly,quietly,hushed talk:speak,speaks,spoke,spoken,speaking,talks,talked,talking
nervous:jittery,edgy upset:distressed,distress,distraught glad:happy,pleased lonely:isolated,loneliness
angry:furious,anger hopeful:optimistic,optimism,hope ashamed:shame,embarrassed,embarrassment guilt:guilty
concentrate:concentration,focus,focused,concentrating,focusing forgetful:forget,forgets,forgot,forgetting
supervisor:boss,manager ill:sick,unwell clinic:office buy:purchase,purchased,bought
finish:complete,completed,completes,finished,finishes begin:start,started,starts
argue:arguments,dispute,disputes bath:shower,bathe,bathing,showering walk:walks,walking,walked
exercise:exercises,exercising,workout,workouts fly:flight,flights,flying,flew,flies
sober:sobriety,abstinent,abstinence unsure:uncertain,undecided,ambivalent,ambivalence
decide:decision,decided,decisions,decides agree:agreed,agrees,agreement answer:answered,reply
drop:dropped,fell,falls rise:rose,risen,rises remember:recall,recalls,recalled,remembers phone:cellphone,telephone
assist:help,helps,helped,helping,helpful permit:allow,allows,allowed big:large,larger small:little
quick:fast,rapid,rapidly,quickly slow:slowly,slowed constricted:restricted,blunted near:close,nearby
arrive:came,come,comes,arrived,arrives return:returned,returns break:broke,broken,breakdown
feel:felt,feels,feeling cause:causes,caused,makes,make,made
""")
"""Words of one meaning, the concept first."""

IRREGULAR = dict(
    pair.split("/")
    for pair in _list("""
took/take taken/take taking/take felt/feel feeling/feel feelings/feel woke/wake went/go gone/go goes/go ate/eat
eaten/eat drank/drink drunk/drink fell/fall fallen/fall came/come coming/come lost/lose slept/sleep children/child
feet/foot gave/give given/give giving/give saw/see seen/see bought/buy thought/thinking thoughts/thinking
thinks/thinking tried/try tries/try trying/try wrote/write written/write writing/write spoke/speak spoken/speak
kept/keep leaving/leave leaves/leave met/meet meeting/meet made/make making/make told/tell said/say says/say got/get
gotten/get getting/get ran/run running/run grew/grow grown/grow broke/break broken/break drove/drive driven/drive
driving/drive used/use using/use uses/use moved/move moving/move having/have loved/love caring/care men/man
women/woman lives/live living/live lived/live better/better worse/worse brought/bring taught/teach caught/catch
sought/seek paid/pay held/hold stood/stand understood/understand sat/sit began/start thinking/thinking dose/dose
doses/dose dosage/dose medications/medication moods/mood daily/daily weekly/weekly monthly/monthly family/family
early/early only/only anxiety/anxiety
""")
)

IRREGULAR |= {word: group.split(":")[0] for group in SAME for word in group.split(":")[1].split(",")}

OPPOSITES = (
    (_words("better"), _words("worse")),
    (_words("increase"), _words("decrease")),
    (_words("left"), _words("right")),
    (_words("high"), _words("low")),
    (_words("normal"), _words("abnormal")),
    (_words("morning"), _words("night evening")),
    (_words("daily"), _words("weekly monthly")),
    (_words("weekly"), _words("monthly biweekly")),
    (_words("good great excellent"), _words("poor bad terrible awful")),
    (_words("mild slight"), _words("severe")),
    (_words("gain"), _words("lose loss")),
    (_words("early"), _words("late")),
    (_words("before"), _words("after")),
    (_words("first"), _words("last")),
    (_words("brother"), _words("sister")),
    (_words("mother"), _words("father")),
    (_words("husband"), _words("wife")),
    (_words("son"), _words("daughter")),
    (_words("single divorced"), _words("marry")),
    (_words("easy"), _words("difficult hard")),
    (_words("calm relax"), _words("tense restless")),
    (_words("since"), _words("until")),
)
"""Groups of concepts that exclude each other, both ways."""

FAMILY = _words("""
peer sponsor coach landlord cousin ex housemate classmate stepbrother stepsister stepson stepdaughter aunt spouse
wife husband mother father parent son daughter brother sister uncle grandmother grandfather grandparent grandson
granddaughter family boyfriend girlfriend partner child baby friend roommate colleague supervisor nephew niece
fiance fiancee stepfather stepmother neighbor neighbour teacher sibling twin
""")

KEY_TERMS = (
    _words("""
monday tuesday wednesday thursday friday saturday sunday january february march april june july august september october
november december yesterday tomorrow weekend morning afternoon evening night noon
anxiety depression panic ptsd ocd adhd bipolar phobia trauma grief insomnia nightmare flashback irritability anger sad
hypertension diabetes asthma copd cancer stroke seizure arthritis migraine anemia cholesterol infection pneumonia
headache nausea vomit dizziness fatigue fever chill cough pain swell rash diarrhea constipation tremor palpitation
numbness weakness tingling bleed itch sweat breath chest abdomen knee shoulder hip ankle wrist elbow neck
left right both alcohol marijuana tobacco cigarette nicotine vape caffeine coffee cocaine
hopeless worthless guilt shame lonely isolate restless tearful cry worry stress tense
surgery biopsy mri ct xray ekg echocardiogram ultrasound colonoscopy endoscopy lab referral refer
therapy cbt dbt emdr mindfulness meditation yoga exposure journal homework group
school college court police jail hospital church prison military army
divorce separate marry engage pregnant pregnancy
better worse increase decrease severe mild moderate daily weekly monthly
allergy sideeffect prn confirm rule resolve cure
""")
    | FAMILY
)
"""Concepts that have to be in the material where a statement has them: taken from elsewhere they are an invention."""

DRUG_ENDINGS = (
    "pram", "pril", "artan", "statin", "azole", "cillin", "mycin", "floxacin", "oxetine", "xetine", "traline",
    "faxine", "zodone", "triptyline", "azepam", "zolam", "zepam", "azine", "apine", "idone", "peridol", "prazole",
    "oxaban", "gliptin", "gliflozin", "glutide", "olol", "dipine", "thiazide", "semide", "profen", "triptan",
    "setron", "tidine", "caine", "codone", "morphone", "phylline", "terol", "sone", "solone", "mab", "vir", "parin",
    "formin", "barbital", "phenidate", "amfetamine", "amphetamine", "fenadine", "ratadine", "tonin", "pentin",
    "gabalin", "trigine", "bamate", "spirone", "zosin", "nidine", "facine", "oxone", "piprazole", "rasidone",
)  # fmt: skip

DRUGS = _words("""
acetaminophen tylenol paracetamol ibuprofen advil motrin aleve aspirin lithium lithobid lexapro prozac zoloft paxil
celexa effexor cymbalta pristiq wellbutrin bupropion remeron mirtazapine trazodone buspar buspirone hydroxyzine
vistaril atarax propranolol inderal xanax ativan klonopin valium ambien lunesta sonata melatonin benadryl
diphenhydramine seroquel zyprexa abilify risperdal geodon latuda haldol clozaril clozapine invega vraylar rexulti
lamictal depakote valproate valproic tegretol trileptal topamax topiramate neurontin lyrica adderall ritalin
concerta vyvanse strattera atomoxetine intuniv prazosin minipress clonidine naltrexone vivitrol suboxone methadone
buprenorphine antabuse disulfiram acamprosate campral chantix varenicline nicotine metformin insulin lantus humalog
ozempic trulicity jardiance glipizide lisinopril norvasc amlodipine losartan lasix furosemide hydrochlorothiazide
hctz coreg carvedilol toprol warfarin coumadin eliquis xarelto plavix digoxin lipitor crestor zocor synthroid
levothyroxine prednisone albuterol advair symbicort flonase claritin zyrtec allegra omeprazole prilosec protonix
nexium pepcid miralax colace senna zofran imitrex sumatriptan tramadol oxycodone percocet hydrocodone vicodin norco
morphine fentanyl flexeril meloxicam mobic celebrex voltaren allopurinol colchicine methotrexate humira gabapentin
amoxicillin augmentin azithromycin doxycycline keflex bactrim cipro fluconazole acyclovir valtrex estradiol
testosterone tamoxifen finasteride flomax viagra cialis iron folate ssri snri benzodiazepine antidepressant
antipsychotic stimulant antibiotic steroid esketamine ketamine spravato venlafaxine duloxetine escitalopram
citalopram sertraline fluoxetine paroxetine vortioxetine trintellix viibryd
""")

NOT_DRUGS = _words("""
medicine magazine routine pristine online decline outline deadline headline airline guideline baseline phone alone
person reason season lesson mason abandon done one gone none home
""")

UNITS = {
    spelling: unit
    for unit, spellings in {
        "mg": "milligram milligrams mgs mg",
        "mcg": "microgram micrograms mcg ug",
        "g": "gram grams",
        "ml": "ml milliliter milliliters cc",
        "mm": "mm millimeters",
        "cm": "cm centimeters",
        "in": "inch inches",
        "ft": "feet",
        "lb": "lb lbs pound pounds",
        "kg": "kg kilos kilograms",
        "%": "percent %",
        "unit": "unit units",
        "minute": "minute minutes min mins",
        "hour": "hour hours h hrs hr",
        "day": "day days d",
        "week": "week weeks wk wks",
        "month": "month months mo",
        "year": "year years yr yrs",
        "time": "time times x",
        "am": "am",
        "pm": "pm",
        "mile": "mile miles",
        "dose": "dose doses",
        "drink": "drink drinks",
        "beer": "beer beers",
        "session": "session sessions",
        "pack": "pack packs",
        "glass": "glass glasses",
        "cup": "cup cups",
        "meal": "meal meals",
        "degree": "degree degrees",
    }.items()
    for spelling in spellings.split()
}
MONTHS = _list("january february march april may june july august september october november december")

MEASURES = _words("mg mcg g ml mm cm in ft lb kg % unit minute hour day week month year time am pm mile degree")
"""Units that say nothing without their number."""

DOSE_UNITS = _words("mg mcg g ml unit")

ORDINALS = {
    word: str(number)
    for number, word in enumerate(
        _list("""
third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth sixteenth
seventeenth eighteenth nineteenth twentieth twenty-first twenty-second twenty-third twenty-fourth twenty-fifth
twenty-sixth twenty-seventh twenty-eighth twenty-ninth thirtieth thirty-first
"""),
        start=3,
    )
}
COUNTS = {
    word: number
    for number, word in enumerate(
        _list("""
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
eighteen nineteen
""")
    )
}
TENS = {
    word: 10 * number
    for number, word in enumerate(_list("twenty thirty forty fifty sixty seventy eighty ninety"), start=2)
}
